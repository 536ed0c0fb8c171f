"""A process that was forked from one that had computed, as those of `multiprocessing.Pool` on Linux are.

Threads do not survive a fork. The OpenMP of torch and scikit-learn does not know that and waits for its own for ever
(pytorch#17199), and that of numba ends the process, for which the pool then waits (umap#707). So torch computes on
one thread there, and what needs numba's threads is refused.
"""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass
from importlib import import_module

logger = logging.getLogger(__name__)


@dataclass
class _Lost:
    """What the process that this one was forked from had loaded."""

    openmp: bool = False
    numba: bool = False
    is_told: bool = False


_lost = _Lost()


def _note() -> None:
    """Called in every forked process."""
    _lost.openmp = _lost.openmp or "torch" in sys.modules or "sklearn" in sys.modules
    _lost.numba = _lost.numba or _numba_has_gnu_threads()
    _lost.is_told = False


if hasattr(os, "register_at_fork"):  # Windows knows no fork
    os.register_at_fork(after_in_child=_note)


def _numba_has_gnu_threads() -> bool:
    if "numba" not in sys.modules:
        return False
    import numba

    try:
        if numba.threading_layer() != "omp":
            return False
    except ValueError:  # no parallel function has run
        return False
    return bool(import_module("numba.np.ufunc.omppool").openmp_vendor == "GNU")


def threads_left(n_jobs: int | None) -> int | None:
    """`n_jobs`, or one in a process whose threads are lost."""
    return 1 if _lost.openmp else n_jobs


def do_without_lost_threads() -> None:
    """To be called before torch or scikit-learn computes: in a forked process it does so on one thread."""
    if not _lost.openmp:
        return
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, user_api="openmp")
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(1)
    if not _lost.is_told:
        _lost.is_told = True
        logger.info(
            "forked from a process whose threads are lost here: computing on one. "
            "multiprocessing.get_context('spawn') starts processes that can have several."
        )


def check_numba_threads(needed_for: str) -> None:
    """To be called before a parallel function of numba; in a forked process it takes one thread.

    Raises
    ------
    RuntimeError
        In a process forked from one that had called some: numba would end it.
    """
    if _lost.numba:
        msg = (
            f"{needed_for} needs the threads of numba, which this process lost when it was forked from one that had "
            "used them: start it with multiprocessing.get_context('spawn') or 'forkserver', or set "
            "NUMBA_THREADING_LAYER=workqueue before Python starts."
        )
        raise RuntimeError(msg)
    do_without_lost_threads()
    if _lost.openmp:
        import numba

        numba.set_num_threads(1)  # it may share its OpenMP with torch
