"""How many cores a run takes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import torch

from falcon_sc.core.runtime import forks

if TYPE_CHECKING:
    from collections.abc import Iterator

# Elements of a batch up to which one thread computes it; 1,024 samples of 200 components are below.
_ONE_THREAD_MAX = 250_000


@contextlib.contextmanager
def at_most_threads(n_jobs: int | None) -> Iterator[None]:
    """Torch and the linear algebra of numpy and scikit-learn take at most `n_jobs` threads; `None` and -1: no limit.

    On a shared machine a person has some of the cores, not all of them.
    """
    from joblib import cpu_count
    from threadpoolctl import threadpool_limits

    n_jobs = forks.threads_left(n_jobs)
    if n_jobs is None or n_jobs < 0 or n_jobs >= cpu_count():
        yield
        return
    with torch_threads(min(n_jobs, torch.get_num_threads())), threadpool_limits(n_jobs):
        yield


def threads_for_batches(batch_elements: int) -> contextlib.AbstractContextManager[None]:
    """One thread for small batches: a second gains little there, and where the cores are shared it loses a lot."""
    return torch_threads(1 if batch_elements <= _ONE_THREAD_MAX else torch.get_num_threads())


@contextlib.contextmanager
def torch_threads(n_threads: int | None = None) -> Iterator[None]:
    """Torch computes on so many threads, and afterwards on as many as before; `None`: only the latter.

    Numba may share its OpenMP with torch, and then leaves torch with another number.
    """
    before = torch.get_num_threads()
    if n_threads is not None:
        torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
