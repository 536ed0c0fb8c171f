"""K-Means as a start for mixtures: greedy k-means++ seeds and a few Lloyd steps; duplicates and k = n are fine."""

from __future__ import annotations

import numpy as np

from falcon_sc.core.start.parallel import stop_if_unwanted

N_LLOYD = 5  # steps at most: a mixture refines the result


def kmeans_labels(X: np.ndarray, n_clusters: int, rng: np.random.Generator) -> np.ndarray:
    """Labels (b, n; int64) of one run on each of b data sets (b, n, d); clusters are empty only where rows are equal."""
    if n_clusters == 1:
        return np.zeros(X.shape[:2], dtype=np.int64)
    return _lloyd(X, _seeds(X, n_clusters, rng))


def _seeds(X: np.ndarray, n_clusters: int, rng: np.random.Generator) -> np.ndarray:
    """Greedy k-means++ (b, k, d): of a few candidates drawn by squared distance, the one that lowers the inertia most."""
    b, n, _ = X.shape
    each = np.arange(b)
    n_trials = 2 + int(np.log(n_clusters))
    norms = np.einsum("bij,bij->bi", X, X)
    chosen: list[np.ndarray] = [np.asarray(rng.integers(n, size=b))]
    closest = _squared_distances(X, norms, chosen[0][:, None])[:, 0]
    for _ in range(1, n_clusters):
        candidates = _drawn(closest, rng.random((b, n_trials)))
        reduced = np.minimum(closest[:, None], _squared_distances(X, norms, candidates))
        best = reduced.sum(axis=2, dtype=np.float64).argmin(axis=1)
        chosen.append(candidates[each, best])
        closest = reduced[each, best]
    return np.asarray(X[each[:, None], np.stack(chosen, axis=1)])


def _drawn(weights: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Indices drawn by the weights (b, n), from numbers in [0, 1): (b, draws)."""
    cumulative = np.cumulative_sum(weights, axis=1, dtype=np.float64)
    drawn = uniform * cumulative[:, -1:]
    return np.stack([np.searchsorted(*own) for own in zip(cumulative, drawn, strict=True)])


def _squared_distances(X: np.ndarray, norms: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Of some rows (b, r) to all: (b, r, n)."""
    each = np.arange(len(X))[:, None]
    distance: np.ndarray = X[each, rows] @ X.mT
    distance *= -2
    distance += norms[:, None]
    distance += norms[each, rows][:, :, None]
    return np.asarray(np.maximum(distance, 0, out=distance))


def _lloyd(X: np.ndarray, centers: np.ndarray) -> np.ndarray:
    previous = np.zeros(0, dtype=bool)
    for _ in range(N_LLOYD):
        stop_if_unwanted()
        # |x - c|^2 / 2 less |x|^2 / 2, which no comparison needs; b x k x n, the faster layout
        distance = 0.5 * (centers**2).sum(axis=2)[:, :, None] - centers @ X.mT
        nearest = distance == distance.min(axis=1, keepdims=True)  # argmin over k takes fifty times as long
        if np.array_equal(nearest, previous):
            break
        previous, members = nearest, nearest.astype(X.dtype)
        sizes = members.sum(axis=2)[:, :, None]
        centers = np.where(sizes > 0, (members @ X) / np.maximum(sizes, 1), centers)
    return np.asarray(nearest.argmax(axis=1), dtype=np.int64)
