"""A tree of splits inside one coarse class: it joins the fine classes above, and divides them below.

The fine classes stay as they are: above, those are joined whose union costs least; below, each is divided where
clusterings with more components agree best.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from falcon_sc.core.start.consensus import co_association, extend
from falcon_sc.core.start.mixtures.em import ridge
from falcon_sc.core.start.representation.class_representations import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from falcon_sc.core.start.representation.class_representations import ClassRepresentations

SMALLEST_LEAF = 10  # cells learned from, on either side of a split below a fine class


@dataclass(frozen=True)
class ClassTree:
    """Splits inside one coarse class of n cells, with L leaves.

    `leaves`: int64 n, the leaf of each cell. `classes`: int64 L, the fine class of each leaf. `joins`: int64 (L - 1, 2),
    the nodes that are joined, deepest first: row j makes the node L + j, the leaves are 0..L-1. The last row is the first
    split: with k fine classes the last k - 1 rows are splits.
    """

    leaves: NDArray[np.int64]
    classes: NDArray[np.int64]
    joins: NDArray[np.int64]


def leaves_under(joins: NDArray[np.int64], n_leaves: int) -> NDArray[np.bool_]:
    """Which leaves are under each node, (n_leaves + S, n_leaves); `joins`: (S, 2) children of each split, which come before their parents."""
    under = np.eye(n_leaves + len(joins), n_leaves, dtype=bool)
    for split, (first, second) in enumerate(joins):
        under[n_leaves + split] = under[first] | under[second]
    return under


def class_tree(
    representations: ClassRepresentations,
    labels: NDArray[np.int64],
    deeper: NDArray[np.int16],
    n_leaves: int,
    learned: NDArray[np.int64],
) -> ClassTree:
    """Divide fine classes further, and join them.

    Parameters
    ----------
    representations
        Of the coarse class.
    labels
        Fine class of each cell, n, 0..k-1.
    deeper
        Clusterings with more components, v x n.
    n_leaves
        Leaves wanted; there are fewer where no fine class has parts of `SMALLEST_LEAF`.
    learned
        Cells that the clusterings were learned from, and in which they are compared; the others follow.
    """
    k = int(labels.max()) + 1
    of_learned, divisions = divided(labels[learned], k, deeper[:, learned], n_leaves)
    leaves = labels.copy()
    for group in range(k):
        _follow(leaves, np.flatnonzero(labels == group), learned, of_learned, deeper)
    joins = joined(whitened_means(representations, labels), np.bincount(labels))
    return _as_tree(leaves, k, divisions, joins)


class _Part(NamedTuple):
    """A node of a linkage, and the samples under it, as a piece of the linkage's order of leaves."""

    node: int
    begin: int
    end: int


def divided(
    labels: NDArray[np.int64], k: int, deeper: NDArray[np.int16], n_leaves: int
) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
    """Divide k groups (m,) by the clusterings `deeper` (v x m), where these agree best.

    Returns the leaf of each sample (m,), and the divisions in the order in which they were made: the leaf that was
    divided, which keeps the larger part and every handful that is no part of its own, and the new one.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    leaves = labels.copy()
    queue: list[tuple[float, int, tuple[_Part, _Part]]] = []  # the next division of each leaf, the clearest first
    trees: dict[int, tuple[NDArray[np.float64], NDArray[np.int64]]] = {}  # of each leaf
    for group in range(k):
        members = np.flatnonzero(labels == group)
        if len(members) >= 2 * SMALLEST_LEAF:
            distance = 1 - co_association(deeper[:, members])
            np.fill_diagonal(distance, 0)
            tree = linkage(squareform(distance, checks=False), method="average")
            trees[group] = tree, members[leaves_list(tree)]
            _offer(queue, tree, group, _Part(2 * len(members) - 2, 0, len(members)))
    divisions: list[tuple[int, int]] = []
    while queue and k + len(divisions) < n_leaves:
        _, leaf, parts = heapq.heappop(queue)
        tree, ordered = trees[leaf]
        new = k + len(divisions)
        divisions.append((leaf, new))
        trees[new] = trees[leaf]
        for part, name in zip(sorted(parts, key=lambda part: part.begin - part.end), (leaf, new), strict=True):
            leaves[ordered[part.begin : part.end]] = name
            _offer(queue, tree, name, part)
    return leaves, divisions


def _offer(
    queue: list[tuple[float, int, tuple[_Part, _Part]]], tree: NDArray[np.float64], leaf: int, part: _Part
) -> None:
    """Queue the next division of a leaf into two sizeable parts, if there is one; handfuls are passed by."""
    n = len(tree) + 1
    while part.end - part.begin >= 2 * SMALLEST_LEAF:
        first, second, height, _ = tree[part.node - n]
        middle = part.begin + (1 if first < n else int(tree[int(first) - n, 3]))
        parts = _Part(int(first), part.begin, middle), _Part(int(second), middle, part.end)
        if min(own.end - own.begin for own in parts) >= SMALLEST_LEAF:
            if height > 0:
                heapq.heappush(queue, (-float(height), leaf, parts))
            return
        part = max(parts, key=lambda own: own.end - own.begin)


def _follow(
    leaves: NDArray[np.int64],
    group: NDArray[np.int64],
    learned: NDArray[np.int64],
    of_learned: NDArray[np.int64],
    deeper: NDArray[np.int16],
) -> None:
    """Leaves of the cells of one fine class, `group`: those learned from have theirs, the others join through the clusterings."""
    here = np.isin(learned, group, assume_unique=True)
    known, others = learned[here], np.setdiff1d(group, learned, assume_unique=True)
    leaves[known] = of_learned[here]
    names, codes = np.unique(of_learned[here], return_inverse=True)
    if len(names) > 1 and len(others):
        leaves[others] = names[extend(codes, deeper[:, known], deeper[:, others])]


def whitened_means(representations: ClassRepresentations, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Means of the groups, k x (all dimensions), so that squared distances are Mahalanobis ones, averaged over representations."""
    fit_cells, k = representations.fit_cells, int(labels.max()) + 1
    known = labels[fit_cells]
    scores = [representations.components(*name) for name in plain(representations)]
    scores += representations.contrasted_components()
    whitened = []
    for own in scores:
        X = own[fit_cells].astype(np.float64)
        means = np.stack(
            [X[known == group].mean(axis=0) if (known == group).any() else X.mean(axis=0) for group in range(k)]
        )
        within = X - means[known]
        covariance = within.T @ within / max(len(X) - k, 1) + ridge(X[None])[0] * np.eye(X.shape[1])
        whitened.append(np.linalg.solve(np.linalg.cholesky(covariance), means.T).T)
    return np.asarray(np.concatenate(whitened, axis=1) / np.sqrt(len(scores)))


def joined(means: NDArray[np.float64], sizes: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Join k groups two at a time, those whose union raises the variance within least (Ward 1963); the first keeps its number."""
    means, weights = means.copy(), sizes.astype(np.float64)
    left, joins = list(range(len(means))), []
    while len(left) > 1:
        own, w = means[left], weights[left]
        distance = ((own[:, None] - own) ** 2).sum(axis=2)
        cost = distance * w[:, None] * w / (w[:, None] + w)
        cost[np.tril_indices(len(left))] = np.inf
        a, b = (left[int(i)] for i in np.unravel_index(cost.argmin(), cost.shape))
        means[a] = (weights[a] * means[a] + weights[b] * means[b]) / (weights[a] + weights[b])
        weights[a] += weights[b]
        left.remove(b)
        joins.append((a, b))
    return joins


def _as_tree(
    leaves: NDArray[np.int64], k: int, divisions: Sequence[tuple[int, int]], joins: Sequence[tuple[int, int]]
) -> ClassTree:
    """Number the nodes."""
    n_leaves = k + len(divisions)
    classes = np.arange(n_leaves)
    for leaf, new in divisions:
        classes[new] = classes[leaf]
    node = list(range(n_leaves))  # that holds each leaf or group by now
    rows = []
    for kept, gone in (*reversed(divisions), *joins):
        rows.append((node[kept], node[gone]))
        node[kept] = n_leaves + len(rows) - 1
    return ClassTree(leaves, classes, np.array(rows, dtype=np.int64).reshape(-1, 2))
