"""Clustering one coarse class: its views, the sweep of mixtures in each, and the labels at a chosen number."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, cycle
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.consensus import agreement, consensus_labels, extend
from falcon_sc.core.merging import choose, merge_down
from falcon_sc.core.mixture import Sweep, sweep_mixtures
from falcon_sc.core.views import CONTINUOUS_VIEWS, COUNT_VIEWS, ClassViews, class_views

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scipy import sparse

    from falcon_sc.core.normalisations import Kind


@dataclass(frozen=True)
class ClassFit:
    """Views of a class, one sweep of mixtures per view (none where only k = 1), agreement of the views per k."""

    views: ClassViews
    sweeps: tuple[Sweep, ...]
    agreement: np.ndarray


def fit_class(
    rows: np.ndarray | sparse.csr_matrix,
    kind: Kind,
    ks: Iterable[int],
    rng: np.random.Generator,
    *,
    batch: np.ndarray | None,
    has_counts: bool,
    n_genes: int,
    max_cells: int,
    n_repeats: int,
) -> ClassFit:
    """Represent one coarse class (`rows`, n x genes) and fit mixtures for every k of `ks` in every view."""
    ks = list(ks)
    max_cells = max(max_cells, ks[-1])
    views = class_views(rows, kind, rng, batch=batch, has_counts=has_counts, n_genes=n_genes, max_cells=max_cells)
    names = n_repeats * _view_names(views)
    if ks == [1]:
        return ClassFit(views, (), np.zeros(1))
    scores = [views.view(name, d)[views.fit_cells] for name, d in names]
    plain = [sweep_mixtures(X, ks, rng) for X in scores]
    sweeps = choose(plain, [merge_down(X, plain[0].ks, rng) for X in scores])
    pairs = [
        (a, b)
        for a, b in combinations(range(len(names)), 2)
        if names[a][1] == names[b][1] and names[a][0] != names[b][0]
    ]
    agreed = [np.mean([agreement(sweeps[a].labels[i], sweeps[b].labels[i]) for a, b in pairs]) for i in range(len(ks))]
    return ClassFit(views, sweeps, np.asarray(agreed))


def label_class(fit: ClassFit, k: int) -> np.ndarray:
    """Fine classes of one coarse class, int64 n, codes 0..k-1 by falling size.

    A consensus of the views with k classes on the cells learned from; the others join through the models.
    """
    views = fit.views
    n = len(next(iter(views.scores.values())))
    if k == 1:
        return np.zeros(n, dtype=np.int64)
    index = int(np.flatnonzero(fit.sweeps[0].ks == k)[0])
    of_fit_cells = np.stack([sweep.labels[index] for sweep in fit.sweeps])
    labels = np.empty(n, dtype=np.int64)
    labels[views.fit_cells] = consensus_labels(of_fit_cells, k)
    others = np.setdiff1d(np.arange(n), views.fit_cells)
    if len(others):
        predicted = [
            sweep.mixtures[index].predict(views.view(name, d)[others])
            for sweep, (name, d) in zip(fit.sweeps, cycle(_view_names(views)), strict=False)
        ]
        labels[others] = extend(labels[views.fit_cells], of_fit_cells, np.stack(predicted))
    return _by_falling_size(labels)


def _view_names(views: ClassViews) -> tuple[tuple[str, int], ...]:
    return COUNT_VIEWS if "pr" in views.scores else CONTINUOUS_VIEWS


def _by_falling_size(labels: np.ndarray) -> np.ndarray:
    """The same groups, renamed 0.. by falling size."""
    order = np.argsort(-np.bincount(labels), kind="stable")
    return np.asarray(np.argsort(order)[labels])
