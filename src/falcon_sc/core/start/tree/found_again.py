"""How far the two sides of a split are found again in other molecules, or by other cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.start.consensus import contingency
from falcon_sc.core.start.mixtures.em import batches, ridge
from falcon_sc.core.start.mixtures.merging import merge_down
from falcon_sc.core.start.thinning import counted_cells
from falcon_sc.core.start.tree.markers import n_markers, scaled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from falcon_sc.core.start.representation.class_representations import ClassRepresentations
    from falcon_sc.core.start.thinning import Halves
    from falcon_sc.core.start.tree.class_tree import ClassTree

    Sides = tuple[NDArray[np.bool_], NDArray[np.bool_]]
    Tables = list[list[NDArray[np.float64]]]

REPRESENTATIONS = (("log", 10), ("scaled", 15), ("pearson", 10))  # in which cells are halved
CELLS_OF_A_HALF = 1000
FEWEST = 3  # cells on either side of a split, in each fold, to say anything


def _shares(table: NDArray[np.float64], sides: Sides) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares of each side of each split that are in each cluster, (S, clusters); 0 for a side without `FEWEST` cells."""
    first, second = (side @ table for side in sides)
    few = np.minimum(first.sum(axis=1), second.sum(axis=1)) < FEWEST
    for side in (first, second):
        side /= np.maximum(side.sum(axis=1, keepdims=True), 1)
        side[few] = np.nan
    return first, second


def separation(table: NDArray[np.float64], sides: Sides) -> NDArray[np.float64]:
    """How far clusters tell the two sides of each split apart, in [0, 1]; NaN where a side has too few cells.

    Half the distance of their distributions over the clusters: twice the balanced accuracy, less 1, if each cluster is given to the
    side of which it holds the larger share. Of few cells that is more than 0 by chance.
    """
    first, second = _shares(table, sides)
    return np.asarray(0.5 * np.abs(first - second).sum(axis=1))


def _told_apart(taught: Tables, tested: Tables, sides: Sides) -> NDArray[np.float64]:
    """How far clusters tell the sides apart in cells other than those in which each cluster was given to a side, (S,), 0 by chance.

    The number of clusters is that with the best separation in the former. `taught`, `tested`: for each number of clusters the
    tables of several clusterings; the worst of these counts.
    """
    separations = np.array(
        [np.min([separation(table, sides) for table in of_k], axis=0) for of_k in taught]
    )  # (K - 1, S)
    right = np.full_like(separations, np.nan)
    for k, (of_k, other_of_k) in enumerate(zip(taught, tested, strict=True)):
        by_clustering = []
        for table, other in zip(of_k, other_of_k, strict=True):
            first, second = _shares(table, sides)
            is_second = second > first
            other_first, other_second = _shares(other, sides)
            by_clustering.append(np.where(is_second, other_second - other_first, 0).sum(axis=1))
        right[k] = np.min(by_clustering, axis=0)
    best = np.nan_to_num(separations, nan=-1).argmax(axis=0)
    return np.asarray(np.maximum(right[best, np.arange(right.shape[1])], 0))


def in_halves_of_cells(
    tree: ClassTree,
    sides: Sides,
    representations: ClassRepresentations,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """How far clusters of some cells, and those learned from as many others, both tell the sides apart in the former (S,)."""
    fit_cells = representations.fit_cells
    half = min(len(fit_cells) // 2, CELLS_OF_A_HALF)
    k_max = min(len(tree.classes) + 1, half // 5)
    if k_max < 2:
        return np.full(len(tree.joins), np.nan)
    names = [name for name in REPRESENTATIONS if name[0] in representations.scores]
    scores = [representations.components(*name)[fit_cells] for name in names]
    drawn = [rng.permutation(len(fit_cells))[: 2 * half].reshape(2, half) for _ in names]
    found = []
    matrices = [X[both].reshape(2 * half, -1) for X, both in zip(scores, drawn, strict=True)]
    for own, pairs in batches(matrices, k_max):
        halves = pairs.reshape(2 * len(own), half, -1)
        other = np.arange(len(halves)) ^ 1
        paths = merge_down(halves, range(2, k_max + 1), rng).mixtures
        # for each k: clusters of each half by its own mixture, and by that of the other
        clusters = [[way.predict(halves) for way in (mixtures, mixtures.of(other))] for mixtures in paths]
        leaves = np.concatenate([tree.leaves[fit_cells[drawn[i]]] for i in own])
        fold = np.arange(half) % 2 == 0
        for run in range(len(halves)):
            tables = [
                [
                    [contingency(leaves[run][part], labels[run][part], len(tree.classes), k) for labels in both]
                    for k, both in enumerate(clusters, 2)
                ]
                for part in (fold, ~fold)
            ]
            even, odd = tables
            found += [_told_apart(even, odd, sides), _told_apart(odd, even, sides)]
    return _mean_of_known(np.array(found))


def in_halves_of_molecules(
    tree: ClassTree, sides: Sides, halves: Halves, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far clusters of one half, read off the other half, tell the sides apart (S,); and the markers counted in the other (S,).

    Which cluster is on which side, and how sides are read off, is learned in one fold of the cells and tried in the other.
    """
    n_splits, n_runs = len(tree.joins), len(halves.labels)
    found, markers = np.full((n_runs, n_splits), np.nan), np.full(n_splits, np.nan)
    counts, counted = np.log1p(scaled(halves.counts)), counted_cells(len(halves.cells))
    leaves = tree.leaves[halves.cells]
    for run, (labels, scores) in enumerate(zip(halves.labels, halves.scores, strict=True)):
        fold = rng.permutation(len(leaves)) % 2 == 0
        clustered = [_sides_of_clusters(labels, leaves, taught, sides) for taught in (fold, ~fold)]  # (S, n) each
        for split in range(n_splits):
            here = (sides[0] | sides[1])[split][leaves]
            is_second, read = sides[1][split][leaves], np.zeros(len(leaves), dtype=bool)
            enough = True
            for taught, by_cluster in zip((fold & here, ~fold & here), clustered, strict=True):
                side = by_cluster[split]
                enough &= min((is_second & taught).sum(), (~is_second & taught).sum()) >= FEWEST
                tried = here & ~taught
                read[tried] = _read_off(scores[taught], side[taught], scores[tried])
            if enough:
                found[run, split] = max(0.0, _balanced(is_second[here], read[here]))
            if run == 0:
                markers[split] = n_markers(counts[here[counted]], clustered[0][split][counted][here[counted]])
    return _mean_of_known(found), markers


def _sides_of_clusters(
    labels: NDArray[np.int16], leaves: NDArray[np.int64], taught: NDArray[np.bool_], sides: Sides
) -> NDArray[np.bool_]:
    """Whether the cluster of each cell is on the second side of each split (S, n), as some cells teach: with the number of clusters that is best there."""
    tables = [contingency(leaves[taught], own[taught], sides[0].shape[1], int(own.max()) + 1) for own in labels]
    separations = np.stack([separation(table, sides) for table in tables])  # (K - 1, S)
    best = np.nan_to_num(separations, nan=-1).argmax(axis=0)
    is_second = np.empty((len(best), labels.shape[1]), dtype=bool)
    for split, k in enumerate(best):
        first, second = _shares(tables[k], (sides[0][[split]], sides[1][[split]]))
        is_second[split] = (second > first)[0][labels[k]]
    return is_second


def _read_off(
    scores: NDArray[np.float32], side: NDArray[np.bool_], tried: NDArray[np.float32]
) -> NDArray[np.bool_] | np.bool_:
    """The side of the cells that are `tried`, by a linear discriminant of those whose side is given; the first if all have one."""
    if min(side.sum(), (~side).sum()) < FEWEST:
        return np.False_
    X = scores.astype(np.float64)
    means = X[~side].mean(axis=0), X[side].mean(axis=0)
    within = X - np.where(side[:, None], means[1], means[0])
    covariance = within.T @ within / max(len(X) - 2, 1) + ridge(X[None])[0] * np.eye(X.shape[1])
    direction = np.linalg.solve(covariance, means[1] - means[0])
    return np.asarray(tried @ direction > (means[0] + means[1]) @ direction / 2)


def _balanced(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> float:
    """Twice the balanced accuracy, less 1."""
    return float(found[truth].mean() - found[~truth].mean())


def _mean_of_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of each column over the rows that are not NaN; NaN where all are."""
    known = np.isfinite(values)
    total = np.where(known, values, 0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)
