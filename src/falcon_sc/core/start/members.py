"""The mixtures that vote on the fine classes of one coarse class."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.start.mixtures.em import best_short_run, expectation_maximization, one_hot
from falcon_sc.core.start.mixtures.kmeans import kmeans_labels
from falcon_sc.core.start.mixtures.merging import merge_down, smallest_weight
from falcon_sc.core.start.mixtures.student import StudentSteps, TiedStudentMixture
from falcon_sc.core.start.mixtures.tied import TiedMixture, TiedSteps
from falcon_sc.core.start.representation.class_representations import (
    EQUAL_SIZE_REPRESENTATIONS,
    ClassRepresentations,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

N_STARTS = 4  # from K-Means, for every mixture: fewer, or runs that end before they converge, vary more between seeds
MARGIN = 0.3  # nats a cell that merged mixtures must gain, median over the representations asked


def members(
    representations: ClassRepresentations, k: int, rng: np.random.Generator, *, n_repeats: int, equal_sizes: bool
) -> list[tuple[np.ndarray, TiedMixture | TiedStudentMixture]]:
    """Mixtures with k components, each with the scores (n x d) it clusters.

    `n_repeats` of each kind, Gaussian and Student, in every plain representation, and half as many in those without
    sequencing depth, where there are counts, and in the contrasted ones (not of an embedding): depth and what varies in
    all classes are part of what tells some types apart, and hide what tells others apart. Gaussians are merged down from
    more components where that makes them much likelier.

    With `equal_sizes`, the representations are `EQUAL_SIZE_REPRESENTATIONS`, the components of all mixtures have equal
    weights, as many Gaussian mixtures with a spherical covariance join in, and none are merged, which is a way to small
    classes.
    """
    names = EQUAL_SIZE_REPRESENTATIONS if equal_sizes else plain(representations)
    n_half = (n_repeats + 1) // 2
    scores = [(representations.components(*name), n_repeats) for name in names]
    if representations.depth is not None:
        scores += [(representations.components_without_depth(*name), n_half) for name in names]
    scores += [(own, n_half) for own in representations.contrasted_components()]
    learned = [np.ascontiguousarray(own[representations.fit_cells]) for own, _ in scores]
    fits = [_fit(X, k, rng, n, equal_sizes=equal_sizes) for X, (_, n) in zip(learned, scores, strict=True)]
    # every second plain representation is asked, which is one or two of each normalization
    if not equal_sizes and _merging_gains(learned[: len(names) : 2], fits[: len(names) : 2], k, rng):
        fits = [_merged(X, fit, k, rng) for X, fit in zip(learned, fits, strict=True)]
    return [(own, mixture) for (own, _), fit in zip(scores, fits, strict=True) for mixture in fit.all()]


@dataclass(frozen=True)
class _Fit:
    """Mixtures of one representation, and the largest mean log-likelihood of the Gaussian ones."""

    gaussian: list[TiedMixture]
    student: list[TiedStudentMixture]
    spherical: list[TiedMixture]
    log_likelihood: float

    def all(self) -> list[TiedMixture | TiedStudentMixture]:
        """The mixtures of every kind."""
        return [*self.gaussian, *self.student, *self.spherical]


def _fit(X: np.ndarray, k: int, rng: np.random.Generator, n: int, *, equal_sizes: bool) -> _Fit:
    """`n` of each kind, each the best of `N_STARTS` after a few steps; kinds share their starts."""
    tied = TiedSteps(X, equal_weights=equal_sizes)
    starts = [
        best_short_run(tied, [one_hot(kmeans_labels(X, k, rng), k, X.dtype) for _ in range(N_STARTS)]).expected
        for _ in range(n)
    ]
    gaussian = [expectation_maximization(tied, start) for start in starts]
    heavy = StudentSteps(X, equal_weights=equal_sizes)
    student = [expectation_maximization(heavy, (start, np.ones_like(start))) for start in starts]
    round_ = TiedSteps(X, equal_weights=True, spherical=True)
    spherical = [expectation_maximization(round_, start) for start in starts] if equal_sizes else []
    return _Fit(
        [run.mixture for run in gaussian],
        [run.mixture for run in student],
        [run.mixture for run in spherical],
        max(run.log_likelihood for run in gaussian),
    )


def _merging_gains(learned: Sequence[np.ndarray], fits: Sequence[_Fit], k: int, rng: np.random.Generator) -> bool:
    """Whether merged mixtures gain more than `MARGIN`: in one representation it is often a handful of outliers."""
    gains = []
    for X, fit in zip(learned, fits, strict=True):
        path = merge_down(X, [k], rng)
        gains.append(path.log_likelihood[0] - fit.log_likelihood if _sizeable(path.mixtures[0], len(X)) else -np.inf)
    return bool(np.median(gains) > MARGIN)


def _merged(X: np.ndarray, fit: _Fit, k: int, rng: np.random.Generator) -> _Fit:
    """Merged mixtures in the place of the Gaussian ones, but for those with a tiny component."""
    paths = [merge_down(X, [k], rng).mixtures[0] for _ in fit.gaussian]
    mixtures = [new if _sizeable(new, len(X)) else old for new, old in zip(paths, fit.gaussian, strict=True)]
    return replace(fit, gaussian=mixtures)


def _sizeable(mixture: TiedMixture, n: int) -> bool:
    return bool(np.exp(mixture.log_weights).min() >= smallest_weight(n))
