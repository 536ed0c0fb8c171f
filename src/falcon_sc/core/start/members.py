"""The mixtures that vote on the fine classes of one coarse class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.start.mixtures.em import N_STEPS, batches, expectation_maximization, likeliest_starts, one_hot
from falcon_sc.core.start.mixtures.kmeans import kmeans_labels
from falcon_sc.core.start.mixtures.merging import merge_down, smallest_weight
from falcon_sc.core.start.mixtures.student import StudentSteps, TiedStudentMixtures
from falcon_sc.core.start.mixtures.tied import TiedMixtures, TiedSteps
from falcon_sc.core.start.representation.class_representations import (
    EQUAL_SIZE_REPRESENTATIONS,
    ClassRepresentations,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


N_STARTS = 4  # from K-Means, for every mixture: fewer, or runs that end before they converge, vary more between seeds
MARGIN = 0.3  # nats a cell that merged mixtures must gain, median over representations


@dataclass(frozen=True)
class Members:
    """The `mixtures` that vote, each with the scores (n x d) that it clusters; and whether `merged` ones are much likelier."""

    mixtures: list[tuple[np.ndarray, TiedMixtures | TiedStudentMixtures]]
    merged: bool

    @property
    def labels(self) -> np.ndarray:
        """Component of every cell by each mixture: int16, (members, n)."""
        return np.concatenate([mixture.predict(scores[None]) for scores, mixture in self.mixtures])


def members(
    representations: ClassRepresentations,
    k: int,
    rng: np.random.Generator,
    *,
    n_repeats: int,
    equal_sizes: bool,
    n_steps: int = N_STEPS,
    may_merge: bool = True,
    merged_before: np.ndarray | None = None,
) -> Members:
    """Mixtures with k components.

    `n_repeats` of each kind, Gaussian and Student, in every plain representation, and half as many in those without
    sequencing depth, where there are counts, and in the contrasted ones (not of an embedding): depth and what varies in
    all classes are part of what tells some types apart, and hide what tells others apart. Gaussians are merged down from
    more components where that makes them much likelier. That takes a quarter to a half of the time of the fits to find out,
    so it is asked only if they `may_merge`, and if those that were `merged_before` do not say no: the mean log-likelihoods of
    mixtures with k components, merged, in the contrasted representations (r,; in the plain ones where there are no others).
    Each run has up to `n_steps` steps.

    Where the values have a scale of their own Gaussian mixtures with a spherical covariance join in: without them the clusters
    of a panel vary between seeds, and along a line on which cells mature they are cut across it.

    With `equal_sizes`, the representations are `EQUAL_SIZE_REPRESENTATIONS`, the components of all mixtures have equal
    weights, spherical mixtures join in as well, and none are merged, which is a way to small classes.
    """
    names = EQUAL_SIZE_REPRESENTATIONS if equal_sizes else plain(representations)
    n_half = (n_repeats + 1) // 2
    scores = [(representations.components(*name), n_repeats) for name in names]
    if representations.depth is not None:
        scores += [(representations.components_without_depth(*name), n_half) for name in names]
    contrasted = representations.contrasted_components()
    scores += [(own, n_half) for own in contrasted]
    learned = [np.ascontiguousarray(own[representations.fit_cells]) for own, _ in scores]
    repeated = [i for i, (_, n) in enumerate(scores) for _ in range(n)]  # the representation of each member
    fits = _fits(
        [learned[i] for i in repeated],
        k,
        rng,
        n_steps=n_steps,
        equal_sizes=equal_sizes,
        with_spherical=equal_sizes or representations.own_scale,
    )
    best = np.array(
        [max(fit.log_likelihood for i, fit in zip(repeated, fits, strict=True) if i == a) for a in range(len(scores))]
    )
    if merged_before is not None:
        before = best[-len(contrasted) :] if contrasted else best[: len(names)]
        may_merge = may_merge and _much_likelier(merged_before, before)
    # every second plain representation is asked, which is one or two of each normalization
    asked = range(0, len(names), 2)
    merges = may_merge and not equal_sizes and _merging_gains([learned[a] for a in asked], best[asked], k, rng)
    if merges:
        merged = _merged([learned[i] for i in repeated], k, rng)
        fits = [fit if new is None else fit.with_gaussian(new) for fit, new in zip(fits, merged, strict=True)]
    mixtures = [(scores[i][0], mixture) for i, fit in zip(repeated, fits, strict=True) for mixture in fit.mixtures]
    return Members(mixtures, merges)


@dataclass(frozen=True)
class _Fit:
    """One mixture of each kind, Gaussian first, and the mean log-likelihood of that one."""

    mixtures: tuple[TiedMixtures | TiedStudentMixtures, ...]
    log_likelihood: float

    def with_gaussian(self, mixture: TiedMixtures) -> _Fit:
        """Another one in the place of the first."""
        return _Fit((mixture, *self.mixtures[1:]), self.log_likelihood)


def _fits(
    matrices: Sequence[np.ndarray],
    k: int,
    rng: np.random.Generator,
    *,
    n_steps: int,
    equal_sizes: bool,
    with_spherical: bool,
) -> list[_Fit]:
    """For each matrix a mixture of each kind, from the best of `N_STARTS` starts after a few steps; kinds share it."""
    fits: dict[int, _Fit] = {}
    for own, X in batches(matrices, k * N_STARTS):
        steps = TiedSteps(X, equal_weights=equal_sizes)
        repeated = steps.of(np.repeat(np.arange(len(X)), N_STARTS))
        starts = one_hot(kmeans_labels(repeated.X, k, rng), k, X.dtype)
        start = likeliest_starts(repeated, starts, N_STARTS)
        gaussian = expectation_maximization(steps, start, n_steps=n_steps)
        heavy = StudentSteps(X, equal_weights=equal_sizes)
        kinds: list[TiedMixtures | TiedStudentMixtures] = [
            gaussian.mixtures,
            expectation_maximization(heavy, (start, np.ones_like(start)), n_steps=n_steps).mixtures,
        ]
        if with_spherical:
            round_ = TiedSteps(X, equal_weights=equal_sizes, spherical=True)
            kinds.append(expectation_maximization(round_, start, n_steps=n_steps).mixtures)
        for run, (i, value) in enumerate(zip(own, gaussian.log_likelihood, strict=True)):
            fits[int(i)] = _Fit(tuple(kind.of(np.array([run])) for kind in kinds), float(value))
    return [fits[i] for i in range(len(matrices))]


def _much_likelier(merged: np.ndarray, best: np.ndarray) -> bool:
    """Whether merged mixtures gain more than `MARGIN` over the `best` others (r,): in one representation it is often a handful of outliers."""
    return bool(np.median(merged - best) > MARGIN)


def _merging_gains(matrices: Sequence[np.ndarray], best: np.ndarray, k: int, rng: np.random.Generator) -> bool:
    """Whether merged mixtures of most matrices are much likelier than the `best` others, none of their components tiny."""
    merged = np.full(len(matrices), -np.inf)
    for own, X in batches(matrices, k):
        path = merge_down(X, [k], rng)
        sizeable = _sizeable(path.mixtures[0], X.shape[1])
        merged[own[sizeable]] = path.log_likelihood[sizeable, 0]
    return _much_likelier(merged, best)


def _merged(matrices: Sequence[np.ndarray], k: int, rng: np.random.Generator) -> list[TiedMixtures | None]:
    """Merged mixtures of each matrix, None where one has a tiny component."""
    mixtures: list[TiedMixtures | None] = [None for _ in matrices]
    for own, X in batches(matrices, k):
        path = merge_down(X, [k], rng).mixtures[0]
        for run in np.flatnonzero(_sizeable(path, X.shape[1])):
            mixtures[int(own[run])] = path.of(np.array([run]))
    return mixtures


def _sizeable(mixtures: TiedMixtures, n: int) -> np.ndarray:
    return np.asarray(np.exp(mixtures.log_weights).min(axis=1) >= smallest_weight(n))
