"""Genes that differ between the two sides of a split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST = 3  # cells on a side
FALSE_DISCOVERIES = 0.05
FOLD_CHANGE = 2.0


def scaled(counts: NDArray[np.uint16]) -> NDArray[np.float64]:
    """Counts scaled to the median total of the cells."""
    totals = counts.sum(axis=1, dtype=np.float64)
    return counts * (np.median(totals) / np.maximum(totals, 1))[:, None]


def n_markers(expression: NDArray[np.float64], side: NDArray[np.bool_]) -> float:
    """Genes (columns of log1p values) that differ between two sides of the cells: Welch's t, Benjamini-Hochberg, twofold."""
    from scipy.stats import false_discovery_control, ttest_ind

    if min(side.sum(), (~side).sum()) < FEWEST:
        return np.nan
    one, other = expression[side], expression[~side]
    seen = (expression > 0).any(axis=0)
    varies = seen & (np.ptp(one, axis=0) > 0) & (np.ptp(other, axis=0) > 0)
    p = np.ones(expression.shape[1])
    if varies.any():
        p[varies] = ttest_ind(one[:, varies], other[:, varies], equal_var=False).pvalue
    p = p[seen]
    means = [np.expm1(own[:, seen]).mean(axis=0) for own in (one, other)]
    change = np.abs(np.log((means[0] + 1e-2) / (means[1] + 1e-2)))
    return float(((false_discovery_control(p) < FALSE_DISCOVERIES) & (change >= np.log(FOLD_CHANGE))).sum())
