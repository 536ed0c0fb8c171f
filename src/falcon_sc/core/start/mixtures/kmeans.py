"""K-Means as a start for mixtures: greedy k-means++ seeds and a few Lloyd steps; duplicates and k = n are fine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.start.mixtures.arrays import at_least, beside, namespace
from falcon_sc.core.start.parallel import stop_if_unwanted

if TYPE_CHECKING:
    from falcon_sc.core.start.mixtures.arrays import Array

N_LLOYD = 5  # steps at most: a mixture refines the result


def kmeans_labels(X: Array, n_clusters: int, rng: np.random.Generator) -> Array:
    """Labels (b, n; int64) of one run on each of b data sets (b, n, d); clusters are empty only where rows are equal."""
    if n_clusters == 1:
        xp = namespace(X)
        return xp.zeros(X.shape[:2], dtype=xp.int64, device=X.device)
    return _lloyd(X, _seeds(X, n_clusters, rng))


def _seeds(X: Array, n_clusters: int, rng: np.random.Generator) -> Array:
    """Greedy k-means++ (b, k, d): of a few candidates drawn by squared distance, the one that lowers the inertia most."""
    xp = namespace(X)
    b, n, _ = X.shape
    each = xp.arange(b, device=X.device)
    n_trials = 2 + int(np.log(n_clusters))
    norms = xp.einsum("bij,bij->bi", X, X)
    chosen = [beside(rng.integers(n, size=b), X)]
    closest = _squared_distances(X, norms, chosen[0][:, None])[:, 0]
    for _ in range(1, n_clusters):
        candidates = _drawn(closest, beside(rng.random((b, n_trials)), X))
        reduced = xp.minimum(closest[:, None], _squared_distances(X, norms, candidates))
        best = reduced.sum(axis=2, dtype=xp.float64).argmin(axis=1)
        chosen.append(candidates[each, best])
        closest = reduced[each, best]
    return X[each[:, None], xp.stack(chosen, axis=1)]


def _drawn(weights: Array, uniform: Array) -> Array:
    """Indices drawn by the weights (b, n), from numbers in [0, 1): (b, draws)."""
    xp = namespace(weights)
    cumulative = xp.cumulative_sum(weights, axis=1, dtype=xp.float64)
    drawn = uniform * cumulative[:, -1:]
    if isinstance(cumulative, np.ndarray):  # it takes one row at a time
        return np.stack([np.searchsorted(*own) for own in zip(cumulative, drawn, strict=True)])
    return xp.searchsorted(cumulative, drawn)


def _squared_distances(X: Array, norms: Array, rows: Array) -> Array:
    """Of some rows (b, r) to all: (b, r, n)."""
    each = namespace(X).arange(len(X), device=X.device)[:, None]
    distance = X[each, rows] @ X.mT
    distance *= -2
    distance += norms[:, None]
    distance += norms[each, rows][:, :, None]
    return at_least(distance, 0, overwrite=True)


def _lloyd(X: Array, centers: Array) -> Array:
    xp = namespace(X)
    clusters = xp.arange(centers.shape[1], device=X.device)[:, None]
    labels = xp.full(X.shape[:2], -1, dtype=xp.int64, device=X.device)
    for _ in range(N_LLOYD):
        stop_if_unwanted()
        # |x - c|^2 / 2 less |x|^2 / 2, which no comparison needs; b x k x n, the faster layout
        distance = 0.5 * (centers**2).sum(axis=2)[:, :, None] - centers @ X.mT
        previous, labels = labels, distance.argmin(axis=1)
        if (labels == previous).all():
            break
        members = xp.asarray(labels[:, None] == clusters, dtype=X.dtype)
        sizes = members.sum(axis=2)[:, :, None]
        centers = xp.where(sizes > 0, (members @ X) / at_least(sizes, 1), centers)
    return labels
