"""Processes beside this one, for the fits of small matrices: these keep Python itself busy, which threads share.

A thread waits here for each of them, reads what it is given, and keeps what it finds. Another one computes in this process.

They are no processes of multiprocessing or joblib: those ask for a guard around the script of the user, live on for a
minute after their parent was killed, and print errors at Ctrl-C while they start. And workers of these may have no children.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import subprocess
import sys
from contextlib import suppress
from multiprocessing.spawn import get_executable
from queue import Empty, SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, Any

from falcon_sc.core.start.parallel import n_threads, stop_if_unwanted
from falcon_sc.core.start.progress import fits_done
from falcon_sc.core.start.worker_process import DONE, FAILED, FITS

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    import numpy as np


logger = logging.getLogger(__name__)

CELLS_EACH = 500  # with 1,000 of them the start takes 4.5 CPU seconds in one process, and 2.9 and 2.6 in two

START = """
import pickle, sys
try:
    sys.path[:] = pickle.load(sys.stdin.buffer)
except EOFError:  # ended before it began
    sys.exit()
from falcon_sc.core.start.worker_process import serve
serve()
"""
ONE_THREAD = dict.fromkeys(
    [f"{library}_NUM_THREADS" for library in ("OMP", "OPENBLAS", "MKL", "BLIS")] + ["VECLIB_MAXIMUM_THREADS"], "1"
)


class LostError(Exception):
    """A worker is not there any more."""


class Workers:
    """Up to `n` processes, which end with the context, and one task at a time in this one.

    `n_threads`: threads that hand out the tasks, one for each.
    """

    def __init__(self, n: int) -> None:
        self._all: list[_Worker] = []
        self._free: SimpleQueue[_Worker] = SimpleQueue()
        self._here = Lock()
        self._is_told = False
        try:
            for _ in range(n):
                self._all.append(_Worker())
        except OSError as error:
            logger.info("start: no further process could be started beside this one: %s", error)
        for worker in self._all:
            self._free.put(worker)
        self.n_threads = len(self._all) + 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for worker in self._all:
            worker.close()

    def kill(self) -> None:
        """End all of them now; threads that wait for one notice."""
        for worker in self._all:
            worker.kill()

    def run[T](self, function: Callable[..., T], given: Callable[[], dict[str, Any]], rng: np.random.Generator) -> T:
        """``function(**given(), rng=rng)`` in a worker that is free, or here; `rng` is left as it leaves it.

        What is given is made when it is needed, and not kept here. The task of a worker that is lost is begun again here.
        """
        try:
            worker = self._free.get_nowait()
        except Empty:
            return self._run_here(function, given, rng)
        try:
            result: T = worker.run(function, given, rng)
        except LostError:
            stop_if_unwanted()
            self._tell(worker)
            return self._run_here(function, given, rng)
        self._free.put(worker)
        return result

    def _run_here[T](
        self, function: Callable[..., T], given: Callable[[], dict[str, Any]], rng: np.random.Generator
    ) -> T:
        with self._here:
            stop_if_unwanted()
            return function(**given(), rng=rng)

    def _tell(self, lost: _Worker) -> None:
        if not self._is_told:
            self._is_told = True
            logger.warning("start: a process beside this one %s: this one does its work", lost.end)


def workers_for(n_cells: int, n_classes: int, n_jobs: int | None) -> Workers:
    """As many as the cells and coarse classes are worth, at most `n_jobs` with this process; None: one a core.

    A process of a pool shares the cores with others: there None is one.
    """
    if n_jobs is None and multiprocessing.parent_process() is not None:
        return Workers(0)
    return Workers(min(n_threads(n_jobs), n_classes, max(1, n_cells // CELLS_EACH)) - 1)


class _Worker:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [_python(), "-P", "-c", START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | ONE_THREAD,
            # Ctrl-C is for this process, which ends the others
            process_group=0,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._tasks, self._answers = self._process.stdin, self._process.stdout
        with suppress(LostError):  # the first task will notice
            self._send(sys.path)

    def run(self, function: Callable[..., Any], given: Callable[[], dict[str, Any]], rng: np.random.Generator) -> Any:
        self._send((function, given(), rng))
        while True:
            about, value = self._answer()
            if about == FITS:
                fits_done(value)
            elif about == DONE:
                result, rng.bit_generator.state = value
                return result
            elif about == FAILED:
                raise value

    def _send(self, task: Any) -> None:
        try:
            pickle.dump(task, self._tasks, protocol=pickle.HIGHEST_PROTOCOL)
            self._tasks.flush()
        except OSError as error:
            raise LostError from error

    def _answer(self) -> Any:
        try:
            return pickle.load(self._answers)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise LostError from error

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        for pipe in (self._tasks, self._answers):
            with suppress(OSError):  # what was not sent any more
                pipe.close()
        self._process.wait()

    @property
    def end(self) -> str:
        """How it ended, once it does not answer."""
        try:
            code = self._process.wait(1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _python() -> str | bytes:
    """What multiprocessing starts: programs that Python is a part of say there where it lies (`set_executable`)."""
    python = get_executable()
    if not python or getattr(sys, "frozen", False):
        msg = "this program has no Python of its own"
        raise OSError(msg)
    return python
