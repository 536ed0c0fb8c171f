"""What of a split is explained by what has nothing to do with types: depth, mitochondria, donors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_CELLS = 3  # on a side


def explained_by_number(
    leaves: NDArray[np.int64], first: NDArray[np.bool_], second: NDArray[np.bool_], values: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Share of each split that a number of each cell explains, in [0, 1]: the squared correlation with the side.

    Parameters
    ----------
    leaves
        (n,) leaf of each cell, -1 for none.
    first, second
        (S, L) leaves on the two sides of each split.
    values
        (n,) finite or NaN.

    Returns
    -------
    (S,), NaN where a side has too few cells or all values are alike.
    """
    known = (leaves >= 0) & np.isfinite(values)
    n_leaves = first.shape[1]
    x = values[known].astype(np.float64)
    moments = [np.bincount(leaves[known], weights=x**power, minlength=n_leaves) for power in range(3)]
    (n1, s1, q1), (n2, s2, q2) = ([side @ own for own in moments] for side in (first, second))
    n = n1 + n2
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = (q1 + q2) / n - ((s1 + s2) / n) ** 2
        between = n1 * n2 / n**2 * (s1 / n1 - s2 / n2) ** 2
        share = between / variance
    enough = (np.minimum(n1, n2) >= LEAST_CELLS) & (variance > 1e-12 * np.maximum(1, (q1 + q2) / np.maximum(n, 1)))
    return np.where(enough, np.clip(share, 0, 1), np.nan)


def explained_by_group(
    leaves: NDArray[np.int64], first: NDArray[np.bool_], second: NDArray[np.bool_], groups: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Share of each split that groups of cells, such as donors, explain: of the variance of the side, that between groups.

    `groups`: (n,) codes, -1 for none; the others as in :func:`explained_by_number`. NaN where there is but one group.
    """
    known = (leaves >= 0) & (groups >= 0)
    n_groups = int(groups.max(initial=-1)) + 1
    table = np.zeros((first.shape[1], max(n_groups, 1)))
    np.add.at(table, (leaves[known], groups[known]), 1)
    one, other = first @ table, second @ table  # (S, groups)
    both = one + other
    n, n1, n2 = both.sum(axis=1), one.sum(axis=1), other.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(both > 0, other / both, 0)
        between = (both * (share - (n2 / n)[:, None]) ** 2).sum(axis=1) / n
        explained = between / (n1 * n2 / n**2)
    enough = (np.minimum(n1, n2) >= LEAST_CELLS) & ((both > 0).sum(axis=1) > 1)
    return np.where(enough, np.clip(explained, 0, 1), np.nan)
