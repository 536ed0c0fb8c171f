"""Work in threads that ends when it is no longer wanted.

Python cannot end a thread from outside. After Ctrl-C, or an error in one coarse class, the other threads would fit on
for minutes, with all cores, while the notebook is free again. So the loops in which they spend their time ask.
"""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextvars import ContextVar
from numbers import Integral
from threading import Event
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Of each thread its own, so that two runs in one process do not end each other.
_UNWANTED: ContextVar[Event | None] = ContextVar("unwanted", default=None)

SECONDS_BETWEEN_LOOKS = 0.5  # at how far the threads are


class UnwantedError(Exception):
    """Ends a thread that nobody waits for any more."""


def stop_if_unwanted() -> None:
    """To be called in every loop that takes long: at least every half second."""
    unwanted = _UNWANTED.get()
    if unwanted is not None and unwanted.is_set():
        raise UnwantedError


def in_threads[A, T](
    task: Callable[[A], T],
    items: Sequence[A],
    n: int,
    *,
    progress: Callable[[], object],
    end: Callable[[], object] = lambda: None,
) -> list[T]:
    """`task` of every item, begun in their order, in `n` threads.

    `progress` is called by the thread that waits for them, after each item and, with several threads, twice a second.

    Whatever ends this early, an error in a task or Ctrl-C, ends the threads before it is raised; `end` ends what they wait for.
    """
    if n == 1:
        return [_counted(task(item), progress) for item in items]
    unwanted = Event()
    with ThreadPoolExecutor(n, initializer=_UNWANTED.set, initargs=(unwanted,)) as pool:
        try:
            running = [pool.submit(task, item) for item in items]
            pending = set(running)
            while pending:
                finished, pending = wait(pending, SECONDS_BETWEEN_LOOKS, FIRST_COMPLETED)
                for done in finished:
                    done.result()
                progress()
        except BaseException:
            unwanted.set()
            end()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [done.result() for done in running]


def n_threads(n_jobs: int | None) -> int:
    """None and -1: one for each core that this process may use.

    Raises
    ------
    TypeError, ValueError
        If `n_jobs` is neither of them nor a positive whole number.
    """
    from joblib import cpu_count

    if n_jobs is not None and (isinstance(n_jobs, bool) or not isinstance(n_jobs, Integral)):
        msg = f"n_jobs must be an int, found {n_jobs!r}."
        raise TypeError(msg)
    if n_jobs is None or n_jobs == -1:
        return int(cpu_count())
    if n_jobs < 1:
        msg = f"n_jobs={n_jobs} leaves no core to compute on: give at least 1, or -1 or None for all."
        raise ValueError(msg)
    return int(n_jobs)


def _counted[T](result: T, progress: Callable[[], object]) -> T:
    progress()
    return result
