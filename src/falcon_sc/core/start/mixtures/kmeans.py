"""K-Means as a start for mixtures: greedy k-means++ seeds and a few Lloyd steps; duplicates and k = n are fine."""

from __future__ import annotations

import numpy as np

from falcon_sc.core.start.parallel import stop_if_unwanted

N_LLOYD = 10  # steps at most: a mixture refines the result


def kmeans_labels(X: np.ndarray, n_clusters: int, rng: np.random.Generator) -> np.ndarray:
    """Labels (n, int64) of one run; clusters are empty only where X has too few distinct rows."""
    if n_clusters == 1:
        return np.zeros(len(X), dtype=np.int64)
    return _lloyd(X, _seeds(X, n_clusters, rng))


def _seeds(X: np.ndarray, n_clusters: int, rng: np.random.Generator) -> np.ndarray:
    """Greedy k-means++: of a few candidates drawn by squared distance, the one that lowers the inertia most."""
    n_trials = 2 + int(np.log(n_clusters))
    norms = np.einsum("ij,ij->i", X, X)
    chosen = [int(rng.integers(len(X)))]
    closest = _squared_distances(X, norms, chosen)[0]
    for _ in range(n_clusters - 1):
        cumulative = np.cumsum(closest, dtype=np.float64)
        candidates = np.searchsorted(cumulative, rng.random(n_trials) * cumulative[-1])
        candidates = np.minimum(candidates, len(X) - 1)
        reduced = np.minimum(closest, _squared_distances(X, norms, candidates))
        best = int(reduced.sum(axis=1, dtype=np.float64).argmin())
        chosen.append(int(candidates[best]))
        closest = reduced[best]
    return X[chosen]


def _squared_distances(X: np.ndarray, norms: np.ndarray, rows: np.ndarray | list[int]) -> np.ndarray:
    return np.asarray(np.maximum(norms + norms[rows][:, None] - 2 * (X[rows] @ X.T), 0))


def _lloyd(X: np.ndarray, centers: np.ndarray) -> np.ndarray:
    n, k = len(X), len(centers)
    labels = np.full(n, -1)
    for _ in range(N_LLOYD):
        stop_if_unwanted()
        # |x - c|^2 less |x|^2, which no comparison needs; k x n, the faster layout
        distance = np.einsum("ij,ij->i", centers, centers)[:, None] - 2 * (centers @ X.T)
        previous, labels = labels, distance.argmin(axis=0)
        if np.array_equal(labels, previous):
            break
        sizes = np.bincount(labels, minlength=k)
        members = (labels == np.arange(k)[:, None]).astype(X.dtype)
        filled = sizes > 0
        centers = centers.copy()
        centers[filled] = (members @ X)[filled] / sizes[filled, None].astype(X.dtype)
    return labels
