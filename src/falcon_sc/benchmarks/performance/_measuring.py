"""What the measurements share: a process of their own, seconds, stages by the log of the package, memory."""

from __future__ import annotations

import json
import logging
import resource
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from falcon_sc.benchmarks._machine import cpu_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

# What is over when the log says a line that begins like this.
_ENDS = {"start: ": "start", "neighbors: ": "neighbors", "training: ": "training"}
_BEFORE_THE_START = "genes and projection"  # over with the first line of the start


def in_own_process(module: str, function: str, *arguments: object) -> Any:
    """What a function prints as a line of JSON, in a new process; `arguments` are numbers, text or None."""
    code = f"from {module} import {function}; {function}(*{arguments!r})"
    finished = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(finished.stdout.splitlines()[-1])


class Clock:
    """CPU and wall seconds since it was made."""

    def __init__(self) -> None:
        self._began = cpu_seconds(), time.perf_counter()

    def seconds(self) -> tuple[float, float]:
        """CPU seconds of all threads, and wall seconds."""
        return cpu_seconds() - self._began[0], time.perf_counter() - self._began[1]


class Stages(logging.Handler):
    """When stages were over, as the log of the package says, or who runs them."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._ends: dict[str, tuple[float, float]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        told = record.getMessage()
        over = next((stage for begin, stage in _ENDS.items() if told.startswith(begin)), None)
        if over is not None:
            self.end(over if _BEFORE_THE_START in self._ends else _BEFORE_THE_START)

    @contextmanager
    def of_log(self) -> Iterator[None]:
        """Listen to the log meanwhile."""
        logger = logging.getLogger("falcon_sc")
        logger.setLevel(logging.INFO)
        logger.addHandler(self)
        try:
            yield
        finally:
            logger.removeHandler(self)

    def end(self, stage: str) -> None:
        """A stage is over."""
        self._ends[stage] = self._clock.seconds()

    def lengths(self) -> dict[str, tuple[float, float]]:
        """CPU and wall seconds of every stage."""
        lengths, last = {}, (0.0, 0.0)
        for stage, at in self._ends.items():
            lengths[stage] = at[0] - last[0], at[1] - last[1]
            last = at
        return lengths


def begin_peak_anew() -> None:
    """Forget the peak of memory so far, where the system can do that."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def memory_gib(field: str) -> float:
    """Memory of this process: "VmRSS" now, "VmHWM" at its peak. Where there is no /proc, the peak for both."""
    status = Path("/proc/self/status")
    if status.exists():  # the peak of `resource` is inherited from the parent process, this one is not
        lines = status.read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
