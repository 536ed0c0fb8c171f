"""One path of mixtures for all numbers of components: two are merged at a time, with a few EM steps after each merge.

K-Means starts split wide groups evenly and miss small distinct ones; merging down from more components finds them. And
neighbors on the path differ in one merge only, so that their likelihoods rise evenly with the number of components:
among fits of their own for every number, each from other starts, the gains of one more component are several times as
noisy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.start.mixtures.em import best_short_run, expectation_maximization, one_hot
from falcon_sc.core.start.mixtures.kmeans import kmeans_labels
from falcon_sc.core.start.mixtures.tied import TiedSteps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from falcon_sc.core.start.mixtures.tied import TiedMixture

STEPS_ABOVE = 4  # components above the largest count asked for, where the merging begins
N_TOP_STARTS = 2  # from K-Means, there
N_STEPS = 10  # of EM at the top and after every merge, at most: few components move
TOLERANCE = 2e-3  # nats a cell, likewise
SMALLEST_SHARE = 0.02  # of the cells, in a component that merging keeps
SMALLEST_SIZE = 5  # cells, likewise


@dataclass(frozen=True)
class Path:
    """Mixtures of one representation for each of `ks`, and their mean log-likelihoods (len(ks),)."""

    ks: np.ndarray
    log_likelihood: np.ndarray
    mixtures: tuple[TiedMixture, ...]


def merge_closest(mixture: TiedMixture, responsibilities: np.ndarray) -> np.ndarray:
    """Responsibilities (k - 1 x n) after merging the two components whose union costs least likelihood.

    With hard assignments a merge of a and b (weights w, squared Mahalanobis distance D) adds
    ``w_a w_b / (w_a + w_b) dd'`` to the shared covariance, so the log-likelihood falls by
    ``log(1 + D w_a w_b / (w_a + w_b)) / 2``, and the entropy of the weights that is saved raises it.
    """
    weights = np.exp(mixture.log_weights)
    projected = mixture.means @ mixture.precision  # k x d
    norms = np.einsum("kd,kd->k", projected, mixture.means)
    distance = np.maximum(norms[:, None] + norms - 2 * projected @ mixture.means.T, 0)  # k x k
    union = weights[:, None] + weights
    own = weights * mixture.log_weights
    saved = union * np.log(union) - own[:, None] - own
    cost = 0.5 * np.log1p(distance * weights[:, None] * weights / union) - saved
    np.fill_diagonal(cost, np.inf)
    small = weights < smallest_weight(responsibilities.shape[1])
    if small.any():  # outliers go first: they would cost most, and a class of outliers is of no use
        cost[~small] = np.inf
    first, second = sorted(np.unravel_index(int(cost.argmin()), cost.shape))
    merged = np.delete(responsibilities, second, axis=0)
    merged[first] += responsibilities[second]
    return merged


def smallest_weight(n: int) -> float:
    """Smallest weight of a component that merging keeps."""
    return max(SMALLEST_SHARE, SMALLEST_SIZE / n)


def merge_down(X: np.ndarray, ks: Sequence[int] | np.ndarray, rng: np.random.Generator) -> Path:
    """Mixtures of the rows of X (n x d, columns about centered) for every k of `ks`.

    Merged down from `STEPS_ABOVE` components more than the largest, at most n / 4 then.
    """
    X, largest = np.ascontiguousarray(X), int(max(ks))
    top = max(largest, min(largest + STEPS_ABOVE, len(X) // 4))
    steps = TiedSteps(X)
    starts = [one_hot(kmeans_labels(X, top, rng), top, X.dtype) for _ in range(N_TOP_STARTS)]
    run = expectation_maximization(steps, best_short_run(steps, starts).expected, n_steps=N_STEPS, tolerance=TOLERANCE)
    runs = {top: run}
    for k in range(top - 1, int(min(ks)) - 1, -1):
        start = merge_closest(run.mixture, run.expected)
        run = expectation_maximization(steps, start, n_steps=N_STEPS, tolerance=TOLERANCE)
        runs[k] = run
    wanted = [runs[int(k)] for k in ks]
    return Path(
        ks=np.asarray(ks, dtype=np.int64),
        log_likelihood=np.array([run.log_likelihood for run in wanted]),
        mixtures=tuple(run.mixture for run in wanted),
    )
