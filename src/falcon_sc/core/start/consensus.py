"""Clusterings of one coarse class in several representations, combined: co-association and average linkage."""

from __future__ import annotations

import math

import numpy as np
from scipy import sparse

# A smaller group is a handful of outliers rather than a class: cells, and share of the cells. Among thousands average
# linkage may set ten apart, which would take the place of a class.
_MIN_SIZE = 5
_MIN_SHARE = 0.005


def co_association(labels: np.ndarray) -> np.ndarray:
    """Share of the clusterings (rows of `labels`, v x n) that put two samples together: float32 n x n."""
    members = indicators(labels).reshape(-1, labels.shape[1])
    together: np.ndarray = members.T @ members  # whole numbers, exact
    together /= len(labels)
    return together


def indicators(labels: np.ndarray) -> np.ndarray:
    """Which cluster each sample is in by each clustering (rows of `labels`, v x n): float32, (v, clusters, n)."""
    return np.asarray(labels[:, None] == np.arange(int(labels.max()) + 1)[:, None], dtype=np.float32)


def consensus_labels(labels: np.ndarray, n_clusters: int) -> np.ndarray:
    """Exactly `n_clusters` groups (codes 0.., int64 n) by average linkage on 1 - co-association of `labels` (v x n).

    Groups of a few samples, or half a per cent, are outliers rather than classes: as far as the tree allows, every
    group has more.
    """
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    n = labels.shape[1]
    if n_clusters >= n:
        return np.arange(n)
    if n_clusters == 1:
        return np.zeros(n, dtype=np.int64)
    distance = 1 - co_association(labels)
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), method="average")
    smallest = max(_MIN_SIZE, math.ceil(_MIN_SHARE * n))
    groups = _cut_into_sizeable(tree, n_clusters, min(smallest, n // (4 * n_clusters)))
    kept = groups >= 0
    if not kept.all():
        groups[~kept] = extend(groups[kept], labels[:, kept], labels[:, ~kept])
    return groups


def _cut_into_sizeable(tree: np.ndarray, n_clusters: int, min_size: int) -> np.ndarray:
    """The highest cut with `n_clusters` groups of at least `min_size`, the rest -1; the plain cut if there is none."""
    n = len(tree) + 1
    sizeable = np.concatenate([np.ones(n), tree[:, 3]]) >= min_size  # of the samples, then of what each merge made
    parts = sizeable[tree[:, :2].astype(np.int64)].sum(axis=1)
    # of 1, 2, ... groups: each further one comes of taking back the last merge that is left
    n_sizeable = np.cumsum(np.append(sizeable[-1], (parts - sizeable[n:])[::-1]))
    enough = np.flatnonzero(n_sizeable[n_clusters - 1 : min(4 * n_clusters, n - 1)] == n_clusters)
    if len(enough) == 0:
        return cut(tree, n_clusters)
    groups = cut(tree, n_clusters + int(enough[0]))  # each step splits one group, so none is skipped
    kept = np.bincount(groups) >= min_size
    renamed: np.ndarray = np.where(kept, np.cumsum(kept) - 1, -1)
    return np.asarray(renamed[groups])


def cut(tree: np.ndarray, n_clusters: int) -> np.ndarray:
    """Groups after the first n - n_clusters merges of a scipy linkage: exactly `n_clusters`, whatever the ties."""
    n = len(tree) + 1
    merges = np.arange(n - n_clusters)
    children = tree[merges, :2].astype(np.int64)
    graph = sparse.coo_matrix(
        (np.ones(2 * len(merges)), (children.ravel(), np.repeat(n + merges, 2))), shape=(2 * n - 1, 2 * n - 1)
    )
    component = sparse.csgraph.connected_components(graph, directed=False)[1][:n]
    return np.asarray(np.unique(component, return_inverse=True)[1], dtype=np.int64)


def contingency(rows: np.ndarray, columns: np.ndarray, n_rows: int, n_columns: int) -> np.ndarray:
    """Samples by the two labels they have, float64 (n_rows, n_columns)."""
    samples = np.bincount(rows.astype(np.int64) * n_columns + columns, minlength=n_rows * n_columns)
    return samples.reshape(n_rows, n_columns).astype(np.float64)


def extend(landmark_labels: np.ndarray, landmark_clusterings: np.ndarray, clusterings: np.ndarray) -> np.ndarray:
    """Group of largest mean co-association for new samples.

    Parameters
    ----------
    landmark_labels
        Groups of the landmarks, m, codes 0..k-1, none empty.
    landmark_clusterings, clusterings
        Labels of the landmarks (v x m) and of the new samples (v x n) by the same v clusterings.
    """
    n_groups = int(landmark_labels.max()) + 1
    score = np.zeros((clusterings.shape[1], n_groups))
    sizes = np.bincount(landmark_labels, minlength=n_groups)
    for of_landmarks, of_samples in zip(landmark_clusterings, clusterings, strict=True):
        table = contingency(of_landmarks, landmark_labels, max(of_landmarks.max(), of_samples.max()) + 1, n_groups)
        score += (table / sizes)[of_samples]
    return np.asarray(score.argmax(axis=1), dtype=np.int64)


def agreement(
    landmark_labels: np.ndarray, landmark_clusterings: np.ndarray, labels: np.ndarray, clusterings: np.ndarray
) -> np.ndarray:
    """How far the clusterings agree on the group of each sample, (n,) float32 in [0, 1].

    Mean, over the clusterings, of the share of the landmarks in the cluster of the sample that are in its group. One
    clustering that joins two groups of a size gives each sample of them 1/2.

    Parameters
    ----------
    landmark_labels, landmark_clusterings
        As in :func:`extend`.
    labels, clusterings
        Groups (n,) of the samples and their labels (v x n) by the same clusterings.
    """
    n_groups = int(landmark_labels.max()) + 1
    share = np.zeros(len(labels))
    for of_landmarks, of_samples in zip(landmark_clusterings, clusterings, strict=True):
        table = contingency(of_landmarks, landmark_labels, max(of_landmarks.max(), of_samples.max()) + 1, n_groups)
        share += (table / np.maximum(table.sum(axis=1, keepdims=True), 1))[of_samples, labels]
    return np.asarray(share / len(clusterings), dtype=np.float32)
