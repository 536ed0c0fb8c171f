"""Work in threads that ends when it is no longer wanted.

Python cannot end a thread from outside. After Ctrl-C, or an error in one coarse class, the other threads would fit on
for minutes, with all cores, while the notebook is free again. So the loops in which they spend their time ask.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, as_completed
from contextvars import ContextVar
from threading import Event
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Of each thread its own, so that two runs in one process do not end each other.
_UNWANTED: ContextVar[Event | None] = ContextVar("unwanted", default=None)


class UnwantedError(Exception):
    """Ends a thread that nobody waits for any more."""


def stop_if_unwanted() -> None:
    """To be called in every loop that takes long: at least every half second."""
    unwanted = _UNWANTED.get()
    if unwanted is not None and unwanted.is_set():
        raise UnwantedError


def in_threads[A, T](
    task: Callable[[A], T], items: Sequence[A], n_jobs: int | None, *, progress: Callable[[], object]
) -> list[T]:
    """`task` of every item, begun in their order, in :func:`n_threads`; `progress` is called after each of them.

    Whatever ends this early, an error in a task or Ctrl-C, ends the threads before it is raised.
    """
    n = n_threads(n_jobs)
    if n == 1:
        return [_counted(task(item), progress) for item in items]
    unwanted = Event()
    with ThreadPoolExecutor(n, initializer=_UNWANTED.set, initargs=(unwanted,)) as pool:
        try:
            running = [pool.submit(task, item) for item in items]
            for done in as_completed(running):
                _counted(done.result(), progress)
        except BaseException:
            unwanted.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [done.result() for done in running]


def n_threads(n_jobs: int | None) -> int:
    """As joblib counts: None or -1 is one for each core that this process may use, -2 one less.

    Raises
    ------
    ValueError
        If `n_jobs` is 0.
    """
    from joblib import cpu_count

    if n_jobs == 0:
        msg = "n_jobs must not be 0: give a number of threads, or None for one a core."
        raise ValueError(msg)
    if n_jobs is not None and n_jobs > 0:
        return n_jobs
    return max(int(cpu_count()) + 1 + (-1 if n_jobs is None else n_jobs), 1)


def _counted[T](result: T, progress: Callable[[], object]) -> T:
    progress()
    return result
