"""Clustering one coarse class: its representations, the sweep of mixtures in each, and the labels at a chosen number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.start.consensus import agreement, consensus_labels, extend
from falcon_sc.core.start.mixtures.merging import choose, merge_down
from falcon_sc.core.start.mixtures.student import TiedStudentMixture, fit_student_mixture
from falcon_sc.core.start.mixtures.tied import Sweep, TiedMixture, fit_mixture, sweep_mixtures
from falcon_sc.core.start.parallel import stop_if_unwanted
from falcon_sc.core.start.representation.class_representations import (
    CONTINUOUS_REPRESENTATIONS,
    COUNT_REPRESENTATIONS,
    EQUAL_SIZE_REPRESENTATIONS,
    ClassRepresentations,
    class_representations,
)
from falcon_sc.core.start.thinning import reproducibility

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scipy import sparse

    from falcon_sc.core.start.input import Kind
    from falcon_sc.core.start.representation.contrast import Background


@dataclass(frozen=True)
class ClassFit:
    """What was learned of a class.

    `representations`; and for each k of several that were asked for, None where there was but one: the mean
    `log_likelihood` of mixtures in each representation (r, K), and, where there are counts, the `reproducibility` of
    clusters in the other half of them (curves, K).
    """

    representations: ClassRepresentations
    log_likelihood: np.ndarray | None
    reproducibility: np.ndarray | None


def fit_class(
    rows: np.ndarray | sparse.csr_matrix,
    kind: Kind,
    ks: Iterable[int],
    rng: np.random.Generator,
    *,
    batch: np.ndarray | None,
    background: Background | None,
    has_counts: bool,
    n_genes: int,
    max_cells: int,
) -> ClassFit:
    """Represent one coarse class (`rows`, n x genes), and say how well every k of `ks` fits it.

    The likelihoods are those in the contrasted representations (in the plain ones of an embedding): what varies in every coarse
    class alike is no reason to split one.
    """
    ks = list(ks)
    representations = class_representations(
        rows,
        kind,
        rng,
        batch=batch,
        background=background,
        has_counts=has_counts,
        n_genes=n_genes,
        max_cells=max(max_cells, ks[-1]),
    )
    if len(ks) == 1:
        return ClassFit(representations, None, None)
    scores = representations.contrasted_components() or [
        representations.components(*name) for name in _plain(representations)
    ]
    sweeps = _sweep([X[representations.fit_cells] for X in scores], np.asarray(ks), rng)
    reproduced = reproducibility(rows, kind, ks, rng, n_genes=n_genes) if has_counts else None
    return ClassFit(representations, np.array([sweep.log_likelihood for sweep in sweeps]), reproduced)


def label_class(
    representations: ClassRepresentations,
    k: int,
    rng: np.random.Generator,
    *,
    n_repeats: int,
    equal_sizes: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Fine classes of one coarse class, int64 n, codes 0..k-1 by falling size, and the agreement on them, float32 n.

    A consensus of Gaussian and Student mixtures with k components (:func:`_members`) on the cells learned from; the
    others join through the models.
    """
    fit_cells, n = representations.fit_cells, len(next(iter(representations.scores.values())))
    if k == 1:
        return np.zeros(n, dtype=np.int64), np.ones(n, dtype=np.float32)
    members = _members(representations, k, rng, n_repeats=n_repeats, equal_sizes=equal_sizes)
    by_members = np.stack([mixture.predict(scores) for scores, mixture in members])  # members x n
    of_fit_cells = by_members[:, fit_cells]
    stop_if_unwanted()
    consensus = consensus_labels(of_fit_cells, k)
    labels = np.empty(n, dtype=np.int64)
    labels[fit_cells] = consensus
    others = np.setdiff1d(np.arange(n), fit_cells)
    if len(others):
        labels[others] = extend(consensus, of_fit_cells, by_members[:, others])
    return _by_falling_size(labels), agreement(consensus, of_fit_cells, labels, by_members)


def _members(
    representations: ClassRepresentations, k: int, rng: np.random.Generator, *, n_repeats: int, equal_sizes: bool
) -> list[tuple[np.ndarray, TiedMixture | TiedStudentMixture]]:
    """Mixtures with k components, each with the scores (n x d) it clusters.

    `n_repeats` of each kind in every plain representation, and half as many in those without sequencing depth, where
    there are counts, and in the contrasted ones (not of an embedding): depth and what varies in all classes are part of
    what tells some types apart, and hide what tells others apart. Gaussians are merged down where `choose` says so for
    the representation, in the contrasted ones where it says so for most.

    With `equal_sizes`, the representations are `EQUAL_SIZE_REPRESENTATIONS`, the components of all mixtures have equal
    weights, as many Gaussian mixtures with a spherical covariance join in, and none are merged, which is a way to small
    classes.
    """
    fit_cells = representations.fit_cells
    names = EQUAL_SIZE_REPRESENTATIONS if equal_sizes else _plain(representations)
    plain = [representations.components(*name) for name in names]
    swept: list[list[TiedMixture]] = [[] for _ in names]
    merged = [False for _ in names]
    if not equal_sizes:
        sweeps = _sweep([scores[fit_cells] for scores in plain], np.array([k]), rng)
        swept, merged = [list(sweep.mixtures) for sweep in sweeps], [bool(sweep.merged[0]) for sweep in sweeps]
    n_half = (n_repeats + 1) // 2
    wanted = [(*each, n_repeats) for each in zip(plain, swept, merged, strict=True)]
    if representations.depth is not None:
        without_depth = [representations.components_without_depth(*name) for name in names]
        wanted += [(scores, [], merge, n_half) for scores, merge in zip(without_depth, merged, strict=True)]
    mostly_merged = 2 * sum(merged) > len(merged)
    wanted += [(scores, [], mostly_merged, n_half) for scores in representations.contrasted_components()]
    return [
        (scores, mixture)
        for scores, fitted, merge, n_wanted in wanted
        for mixture in _mixtures(scores[fit_cells], k, rng, n_wanted, fitted, merge=merge, equal_sizes=equal_sizes)
    ]


def _sweep(scores: Sequence[np.ndarray], ks: np.ndarray, rng: np.random.Generator) -> tuple[Sweep, ...]:
    """Mixtures of each representation for every k: from K-Means, or merged down from more where that finds much better ones."""
    plain = [sweep_mixtures(X, ks, rng) for X in scores]
    return choose(plain, [merge_down(X, ks, rng) for X in scores])


def _mixtures(
    X: np.ndarray,
    k: int,
    rng: np.random.Generator,
    n_wanted: int,
    fitted: list[TiedMixture],
    *,
    merge: bool,
    equal_sizes: bool,
) -> list[TiedMixture | TiedStudentMixture]:
    """`n_wanted` of each kind: Gaussian, those `fitted` before among them; Student; and with `equal_sizes` spherical Gaussian."""

    def gaussian() -> TiedMixture:
        if merge:
            return merge_down(X, np.array([k]), rng).mixtures[0]
        return fit_mixture(X, k, rng, equal_weights=equal_sizes)[0]

    fits: list[TiedMixture | TiedStudentMixture] = [*fitted, *(gaussian() for _ in range(n_wanted - len(fitted)))]
    fits += [fit_student_mixture(X, k, rng, equal_weights=equal_sizes) for _ in range(n_wanted)]
    if equal_sizes:
        fits += [fit_mixture(X, k, rng, equal_weights=True, spherical=True)[0] for _ in range(n_wanted)]
    return fits


def _plain(representations: ClassRepresentations) -> tuple[tuple[str, int], ...]:
    return COUNT_REPRESENTATIONS if "pearson" in representations.scores else CONTINUOUS_REPRESENTATIONS


def _by_falling_size(labels: np.ndarray) -> np.ndarray:
    """The same groups, renamed 0.. by falling size."""
    order = np.argsort(-np.bincount(labels), kind="stable")
    return np.asarray(np.argsort(order)[labels])
