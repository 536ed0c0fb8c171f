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
    members = np.vstack([row == cluster for row in labels for cluster in np.unique(row)])  # clusters x n
    together: np.ndarray = members.T.astype(np.float32) @ members.astype(np.float32)  # whole numbers, exact
    together /= len(labels)
    return together


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
    for n_groups in range(n_clusters, min(4 * n_clusters, len(tree)) + 1):
        groups = cut(tree, n_groups)
        sizeable = np.bincount(groups) >= min_size
        if sizeable.sum() == n_clusters:  # each step splits one group, so none is skipped
            renamed: np.ndarray = np.where(sizeable, np.cumsum(sizeable) - 1, -1)
            return np.asarray(renamed[groups])
    return cut(tree, n_clusters)


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
        table = np.zeros((max(of_landmarks.max(), of_samples.max()) + 1, n_groups))
        np.add.at(table, (of_landmarks, landmark_labels), 1)
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
        table = np.zeros((max(of_landmarks.max(), of_samples.max()) + 1, n_groups))
        np.add.at(table, (of_landmarks, landmark_labels), 1)
        share += (table / np.maximum(table.sum(axis=1, keepdims=True), 1))[of_samples, labels]
    return np.asarray(share / len(clusterings), dtype=np.float32)
