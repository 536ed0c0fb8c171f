"""Clusterings of the samples of each coarse class by themselves, put together to labels of all samples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.core.data.budget import fine_budget
from falcon_sc.core.data.inputs import as_input
from falcon_sc.core.data.labels import as_array
from falcon_sc.core.data.taxonomy import Taxonomy
from falcon_sc.core.runtime import forks
from falcon_sc.core.settings.ranges import generator_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    # samples of one class (n_c, d), number of clusters, seed -> what the fit costs, and its labels (n_c,)
    Cluster = Callable[[NDArray[np.floating[Any]], int, int], tuple[float, NDArray[np.int64]]]


@dataclass(frozen=True)
class CoarseClasses:
    """The coarse classes of N samples, with their `names` (K_C,), and `members`, the rows of the samples of each.

    `budget`: the total number of fine classes, or one number for each coarse class (K_C,).
    """

    taxonomy: Taxonomy
    members: Sequence[NDArray[np.intp]]
    budget: int | NDArray[np.int64]

    @classmethod
    def of(cls, X: Any, coarse: ArrayLike, n_fine: int | Mapping[Any, int]) -> CoarseClasses:
        """Refuses what `falcon_sc.Falcon` refuses."""
        taxonomy = Taxonomy.of(coarse)
        codes = taxonomy.encode(coarse)
        budget = fine_budget(n_fine, taxonomy, codes, np.shape(X)[0])
        members = [np.flatnonzero(codes == c) for c in range(taxonomy.n_coarse)]
        return cls(taxonomy, members, budget)

    @property
    def names(self) -> NDArray[Any]:
        """(K_C,)."""
        return as_array(self.taxonomy.names)

    def join(self, parts: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Labels of all samples, codes by coarse class, then by falling size; and how many each class has (K_C,)."""
        labels = np.empty(sum(len(part) for part in parts), dtype=np.int64)
        counts = np.zeros(len(parts), dtype=np.int64)
        for c, (rows, part) in enumerate(zip(self.members, parts, strict=True)):
            _, position, sizes = np.unique(part, return_inverse=True, return_counts=True)
            rank = np.argsort(np.argsort(-sizes, kind="stable"))
            labels[rows] = counts.sum() + rank[position]
            counts[c] = len(sizes)
        return labels, counts


def as_scores(X: Any) -> NDArray[np.floating[Any]]:
    """The finite dense matrix that is clustered, in the precision that it has.

    Raises
    ------
    TypeError, ValueError
        If it is none.
    """
    checked = as_input(X)
    if not isinstance(checked, np.ndarray):
        msg = f"X must be a dense matrix, found {type(X).__name__}: give principal components, or X.toarray()."
        raise TypeError(msg)
    return X if isinstance(X, np.ndarray) else checked


def cluster_inside(
    cluster: Cluster, X: NDArray[np.floating[Any]], classes: CoarseClasses, rng: int | np.random.Generator | None
) -> list[NDArray[np.int64]]:
    """Cluster each coarse class into its number of fine classes, or share out the total where only that is given."""
    forks.do_without_lost_threads()
    rng = generator_of(rng)
    blocks = [np.asarray(X[rows], dtype=np.float64) for rows in classes.members]
    # equal rows cannot be told apart, so there are no more clusters than distinct rows
    largest = np.array([len(np.unique(block, axis=0)) for block in blocks])

    @cache
    def fit(c: int, k: int) -> tuple[float, NDArray[np.int64]]:
        return cluster(blocks[c], k, int(rng.integers(2**31)))

    if isinstance(classes.budget, int):
        counts = share_out(lambda c, k: fit(c, k)[0], classes.budget, largest)
    else:
        counts = np.minimum(classes.budget, largest)
    return [fit(c, int(k))[1] for c, k in enumerate(counts)]


def share_out(cost: Callable[[int, int], float], total: int, largest: NDArray[np.int64]) -> NDArray[np.int64]:
    """One cluster for each class, then each further one to the class whose cost falls most by it.

    Parameters
    ----------
    cost
        Cost of class c with k clusters.
    total
        Number of clusters; fewer are shared out where `largest` allows no more.
    largest
        Most clusters that each class can have.
    """
    counts = np.ones(len(largest), dtype=np.int64)

    def gain(c: int) -> float:
        return cost(c, int(counts[c])) - cost(c, int(counts[c]) + 1) if counts[c] < largest[c] else -np.inf

    gains = np.array([gain(c) for c in range(len(counts))])
    for _ in range(min(total, int(largest.sum())) - len(counts)):
        c = int(gains.argmax())
        counts[c] += 1
        gains[c] = gain(c)
    return counts
