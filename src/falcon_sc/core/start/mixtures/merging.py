"""Mixtures reached from above: components are merged one pair at a time, with EM after each merge.

K-Means starts split wide groups evenly and miss small distinct ones; merging down from more components finds them.
Higher likelihood alone is no proof, though: in one representation it is often a handful of outliers that is gained. So for
each number of components the merged mixtures replace the others only where most representations gain much.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.start.mixtures.em import expectation_maximization
from falcon_sc.core.start.mixtures.tied import SWEEP_STARTS, Sweep, TiedMixture, TiedSteps, collect, fit_mixture

if TYPE_CHECKING:
    from collections.abc import Sequence

STEPS_ABOVE = 8  # components above the largest count asked for, where the merging begins
MARGIN = 0.3  # nats a cell that the merged mixtures must gain, median over the representations
SMALLEST_SHARE = 0.02  # of the cells, in a component that merging keeps
SMALLEST_SIZE = 5  # cells, likewise


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


def merge_down(X: np.ndarray, ks: np.ndarray, rng: np.random.Generator) -> Sweep:
    """Mixtures for every k of `ks`, merged down from `STEPS_ABOVE` components more (at most n / 4 then).

    The likelihood is -inf where a component is smaller than `smallest_weight`: never to be preferred.
    """
    largest = int(ks.max())
    top = max(largest, min(largest + STEPS_ABOVE, len(X) // 4))
    fits = {top: fit_mixture(X, top, rng, n_starts=SWEEP_STARTS)}
    steps = TiedSteps(X)
    for k in range(top - 1, int(ks.min()) - 1, -1):
        larger = fits[k + 1][0]
        mixture, trace = expectation_maximization(steps, merge_closest(larger, steps.expect(larger)[1]))
        fits[k] = mixture, float(trace[-1])
    sweep = collect(ks, [fits[int(k)] for k in ks])
    tiny = [np.exp(mixture.log_weights).min() < smallest_weight(len(X)) for mixture in sweep.mixtures]
    return replace(sweep, log_likelihood=np.where(tiny, -np.inf, sweep.log_likelihood))


def choose(plain: Sequence[Sweep], merged: Sequence[Sweep]) -> tuple[Sweep, ...]:
    """For each k the merged mixtures of all representations where their median gain exceeds `MARGIN`, else all plain ones."""
    gain = np.median([m.log_likelihood - p.log_likelihood for p, m in zip(plain, merged, strict=True)], axis=0)
    take = gain > MARGIN
    return tuple(_mix(p, m, take & np.isfinite(m.log_likelihood)) for p, m in zip(plain, merged, strict=True))


def _mix(plain: Sweep, merged: Sweep, take: np.ndarray) -> Sweep:
    return Sweep(
        ks=plain.ks,
        log_likelihood=np.where(take, merged.log_likelihood, plain.log_likelihood),
        mixtures=tuple(m if t else p for p, m, t in zip(plain.mixtures, merged.mixtures, take, strict=True)),
        merged=take,
    )
