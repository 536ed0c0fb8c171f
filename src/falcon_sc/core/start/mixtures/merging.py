"""One path of mixtures for all numbers of components: two are merged at a time, with a few EM steps after each merge.

K-Means starts split wide groups evenly and miss small distinct ones; merging down from more components finds them. And
neighbors on the path differ in one merge only, so that their likelihoods rise evenly with the number of components:
among fits of their own for every number, each from other starts, the gains of one more component are several times as
noisy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.start.mixtures.em import batches, expectation_maximization, likelier, likeliest_starts, one_hot
from falcon_sc.core.start.mixtures.kmeans import kmeans_labels
from falcon_sc.core.start.mixtures.tied import TiedSteps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from falcon_sc.core.start.mixtures.tied import TiedMixtures

STEPS_ABOVE = 4  # components above the largest count asked for, where the merging begins
FRESH_UP_TO = 6  # components: up to here runs from K-Means labels of their own join in, and the likeliest goes on
N_FRESH_STARTS = 2
N_STEPS = 10  # of EM at the top and after every merge, at most: few components move
TOLERANCE = 2e-3  # nats a cell, likewise
SMALLEST_SHARE = 0.02  # of the cells, in a component that merging keeps
SMALLEST_SIZE = 5  # cells, likewise


@dataclass(frozen=True)
class Paths:
    """Mixtures of b data sets for each k of those asked for, and their mean log-likelihoods (b, len(ks))."""

    log_likelihood: np.ndarray
    mixtures: tuple[TiedMixtures, ...]


def merge_closest(mixtures: TiedMixtures, responsibilities: np.ndarray) -> np.ndarray:
    """Responsibilities (b, k - 1, n) after merging the two components of each mixture whose union costs least likelihood.

    With hard assignments a merge of a and b (weights w, squared Mahalanobis distance D) adds
    ``w_a w_b / (w_a + w_b) dd'`` to the shared covariance, so the log-likelihood falls by
    ``log(1 + D w_a w_b / (w_a + w_b)) / 2``, and the entropy of the weights that is saved raises it.
    """
    weights, log_weights = np.exp(mixtures.log_weights), mixtures.log_weights
    n_runs, k, n = responsibilities.shape
    projected = mixtures.means @ mixtures.precision  # b x k x d
    norms = (projected * mixtures.means).sum(axis=2)
    crossed = projected @ mixtures.means.mT  # b x k x k
    distance = np.maximum(norms[:, :, None] + norms[:, None] - 2 * crossed, 0)
    union = weights[:, :, None] + weights[:, None]
    own = weights * log_weights
    saved = union * np.log(union) - own[:, :, None] - own[:, None]
    cost = 0.5 * np.log1p(distance * weights[:, :, None] * weights[:, None] / union) - saved
    small = weights < smallest_weight(n)
    components, runs = (np.arange(size) for size in (k, n_runs))
    # outliers go first: they would cost most, and a class of outliers is of no use
    cost[small.any(axis=1)[:, None] & ~small] = math.inf
    cost[:, components, components] = math.inf
    cheapest = cost.reshape(n_runs, -1).argmin(axis=1)
    one, other = cheapest // k, cheapest % k
    first, second = np.minimum(one, other), np.maximum(one, other)
    merged: np.ndarray = responsibilities[components != second[:, None]].reshape(n_runs, k - 1, n)
    merged[runs, first] += responsibilities[runs, second]
    return merged


def smallest_weight(n: int) -> float:
    """Smallest weight of a component that merging keeps."""
    return max(SMALLEST_SHARE, SMALLEST_SIZE / n)


def merge_down(X: np.ndarray, ks: Sequence[int] | np.ndarray, rng: np.random.Generator) -> Paths:
    """Mixtures of each of b data sets X (b, n, d; columns about centered) for every k of `ks`.

    Merged down from `STEPS_ABOVE` components more than the largest, at most n / 4 then.
    """
    n = X.shape[1]
    largest = int(max(ks))
    top = max(largest, min(largest + STEPS_ABOVE, n // 4))
    steps = TiedSteps(X)
    start = _start(steps, top, 1, rng)
    fitted = {}
    for k in range(top, int(min(ks)) - 1, -1):
        runs = expectation_maximization(steps, start, n_steps=N_STEPS, tolerance=TOLERANCE)
        if 1 < k <= FRESH_UP_TO and k < top:
            fresh = _start(steps, k, N_FRESH_STARTS, rng)
            runs = likelier(runs, expectation_maximization(steps, fresh, n_steps=N_STEPS, tolerance=TOLERANCE))
        fitted[k] = runs.mixtures, runs.log_likelihood
        start = merge_closest(runs.mixtures, runs.expected) if k > 1 else start
    return Paths(
        log_likelihood=np.stack([fitted[int(k)][1] for k in ks], axis=1),
        mixtures=tuple(fitted[int(k)][0] for k in ks),
    )


def _start(steps: TiedSteps, k: int, n_starts: int, rng: np.random.Generator) -> np.ndarray:
    """Responsibilities (b, k, n) after a short run from K-Means labels, the likeliest of `n_starts`."""
    repeated = steps.of(np.repeat(np.arange(steps.n_runs), n_starts))
    return likeliest_starts(repeated, one_hot(kmeans_labels(repeated.X, k, rng), k, steps.X.dtype), n_starts)


def log_likelihoods(
    matrices: Sequence[np.ndarray],
    ks: Sequence[int] | np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Mean log-likelihoods along the path of each matrix (n x d), nats a cell: (matrices, len(ks))."""
    values = np.empty((len(matrices), len(ks)))
    for own, X in batches(matrices, max(ks)):
        values[own] = merge_down(X, ks, rng).log_likelihood
    return values
