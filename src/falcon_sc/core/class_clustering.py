"""Clustering one coarse class: its views, the sweep of mixtures in each, and the labels at a chosen number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.consensus import agreement, consensus_labels, extend
from falcon_sc.core.merging import choose, merge_down
from falcon_sc.core.mixture import Sweep, TiedMixture, fit_mixture, sweep_mixtures
from falcon_sc.core.student_mixture import TiedStudentMixture, fit_student_mixture
from falcon_sc.core.thinning import reproducibility
from falcon_sc.core.views import CONTINUOUS_VIEWS, COUNT_VIEWS, ClassViews, class_views

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scipy import sparse

    from falcon_sc.core.normalisations import Kind


@dataclass(frozen=True)
class ClassFit:
    """What was learned of a class.

    `views`; `sweeps`: one of mixtures per view (none where only k = 1); and for each k the `reproducibility` of clusters
    in the other half of the counts (curves, K), None where there are no counts or only k = 1.
    """

    views: ClassViews
    sweeps: tuple[Sweep, ...]
    reproducibility: np.ndarray | None

    @property
    def log_likelihood(self) -> np.ndarray | None:
        """Mean log-likelihood of each view for each k, (views, K); None where only k = 1."""
        return np.array([sweep.log_likelihood for sweep in self.sweeps]) if self.sweeps else None


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
) -> ClassFit:
    """Represent one coarse class (`rows`, n x genes) and fit mixtures for every k of `ks` in every view."""
    ks = list(ks)
    max_cells = max(max_cells, ks[-1])
    views = class_views(rows, kind, rng, batch=batch, has_counts=has_counts, n_genes=n_genes, max_cells=max_cells)
    if ks == [1]:
        return ClassFit(views, (), None)
    names = _view_names(views)
    scores = [views.view(name, d)[views.fit_cells] for name, d in names]
    plain = [sweep_mixtures(X, ks, rng) for X in scores]
    sweeps = choose(plain, [merge_down(X, plain[0].ks, rng) for X in scores])
    reproduced = None
    if has_counts and len(ks) > 1:  # the numbers are still to be found
        reproduced = reproducibility(rows, kind, ks, rng, n_genes=n_genes)
    return ClassFit(views, sweeps, reproduced)


def label_class(fit: ClassFit, k: int, rng: np.random.Generator, *, n_repeats: int) -> tuple[np.ndarray, np.ndarray]:
    """Fine classes of one coarse class, int64 n, codes 0..k-1 by falling size, and the agreement on them, float32 n.

    A consensus, over the views, of Gaussian and Student mixtures with k components on the cells learned from; the others
    join through the models. `n_repeats` of each, and where there are counts half as many again in the view without
    sequencing depth: depth is part of what tells some types apart, and hides what tells others apart.
    """
    views = fit.views
    n = len(next(iter(views.scores.values())))
    if k == 1:
        return np.zeros(n, dtype=np.int64), np.ones(n, dtype=np.float32)
    members: list[tuple[np.ndarray, TiedMixture | TiedStudentMixture]] = []
    for sweep, (name, d) in zip(fit.sweeps, _view_names(views), strict=True):
        index = int(np.flatnonzero(sweep.ks == k)[0])
        fit_gaussian = _merged_mixture if sweep.merged[index] else _plain_mixture
        looks = [(views.view(name, d), [sweep.mixtures[index]], n_repeats)]
        if views.depth is not None:
            looks.append((views.view_without_depth(name, d), [], (n_repeats + 1) // 2))
        for scores, known, n_wanted in looks:
            X = scores[views.fit_cells]
            gaussian = known + [fit_gaussian(X, k, rng) for _ in range(n_wanted - len(known))]
            members += [(scores, mixture) for mixture in gaussian]
            members += [(scores, fit_student_mixture(X, k, rng)) for _ in range(n_wanted)]
    by_members = np.stack([mixture.predict(scores) for scores, mixture in members])
    of_fit_cells = by_members[:, views.fit_cells]
    consensus = consensus_labels(of_fit_cells, k)
    labels = np.empty(n, dtype=np.int64)
    labels[views.fit_cells] = consensus
    others = np.setdiff1d(np.arange(n), views.fit_cells)
    if len(others):
        labels[others] = extend(consensus, of_fit_cells, by_members[:, others])
    return _by_falling_size(labels), agreement(consensus, of_fit_cells, labels, by_members)


def _plain_mixture(X: np.ndarray, k: int, rng: np.random.Generator) -> TiedMixture:
    return fit_mixture(X, k, rng)[0]


def _merged_mixture(X: np.ndarray, k: int, rng: np.random.Generator) -> TiedMixture:
    return merge_down(X, np.array([k]), rng).mixtures[0]


def _view_names(views: ClassViews) -> tuple[tuple[str, int], ...]:
    return COUNT_VIEWS if "pr" in views.scores else CONTINUOUS_VIEWS


def _by_falling_size(labels: np.ndarray) -> np.ndarray:
    """The same groups, renamed 0.. by falling size."""
    order = np.argsort(-np.bincount(labels), kind="stable")
    return np.asarray(np.argsort(order)[labels])
