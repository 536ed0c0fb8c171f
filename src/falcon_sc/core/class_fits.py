"""Fitting every coarse class, in parallel, and its curves over the number of fine classes side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.class_clustering import ClassFit, fit_class
from falcon_sc.core.normalisations import look_like_counts, pseudo_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from falcon_sc.core.start import StartInput

CELLS_LOOKED_AT = 2000  # to tell whether counts can be recovered from log-normalised values


def fit_classes(
    start_input: StartInput,
    coarse: np.ndarray,
    ks: Sequence[Iterable[int]],
    generators: Sequence[np.random.Generator],
    *,
    n_jobs: int | None,
    progress_bar: bool,
    n_genes: int,
    max_cells: int,
) -> list[ClassFit]:
    """`fit_class` for every code of `coarse` (int64 n, 0..K_C-1), each with its own `ks` and generator."""
    matrix = start_input.matrix if isinstance(start_input.matrix, np.ndarray) else start_input.matrix.tocsr()
    has_counts = start_input.kind == "counts" or (
        start_input.kind == "lognorm" and look_like_counts(pseudo_counts(matrix[:CELLS_LOOKED_AT]))
    )

    def fit(c: int) -> ClassFit:
        members = np.flatnonzero(coarse == c)
        return fit_class(
            matrix[members],
            start_input.kind,
            ks[c],
            generators[c],
            batch=None if start_input.batch is None else start_input.batch[members],
            has_counts=has_counts,
            n_genes=n_genes,
            max_cells=max_cells,
        )

    return over_classes(fit, np.bincount(coarse), n_jobs=n_jobs, progress_bar=progress_bar)


def over_classes[T](task: Callable[[int], T], sizes: np.ndarray, *, n_jobs: int | None, progress_bar: bool) -> list[T]:
    """`task` for every coarse class, large ones first; one BLAS thread each, so that threads change no result."""
    from joblib import Parallel, delayed
    from threadpoolctl import threadpool_limits
    from tqdm.auto import tqdm

    order = np.argsort(-sizes, kind="stable")
    with threadpool_limits(limits=1):
        jobs = Parallel(n_jobs=-1 if n_jobs is None else n_jobs, prefer="threads", return_as="generator")
        running = jobs(delayed(task)(int(c)) for c in order)
        done = list(
            tqdm(running, total=len(sizes), desc="inside coarse classes", disable=not progress_bar, unit="class")
        )
    result: dict[int, T] = dict(zip(order.tolist(), done, strict=True))
    return [result[c] for c in range(len(sizes))]


def padded(curves: Sequence[np.ndarray], longest: int) -> np.ndarray:
    """One array (classes, views, longest), NaN beyond each curve; zeros for a class that cannot be split."""
    together = np.full((len(curves), max(len(own) for own in curves), longest), np.nan)
    for own, row in zip(curves, together, strict=True):
        if len(own):
            row[:, : own.shape[1]] = own
        else:
            row[:, 0] = 0
    return together
