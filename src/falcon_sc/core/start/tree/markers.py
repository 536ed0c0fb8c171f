"""Genes that differ between the two sides of a split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST = 3  # cells on a side
FALSE_DISCOVERIES = 0.05
FOLD_CHANGE = 2.0
LEAST_MEAN = 0.01  # counts a cell, added to both means: a gene that is hardly there makes no fold change


def scaled(counts: NDArray[np.uint16]) -> NDArray[np.float64]:
    """Counts scaled to the median total of the cells."""
    totals = counts.sum(axis=1, dtype=np.float64)
    return counts * (np.median(totals) / np.maximum(totals, 1))[:, None]


def n_markers(expression: NDArray[np.float64], side: NDArray[np.bool_]) -> float:
    """Genes (columns of log1p values) that differ between two sides of the cells: Welch's t, Benjamini-Hochberg, twofold."""
    from scipy.stats import false_discovery_control, ttest_ind_from_stats

    parts = expression[side], expression[~side]
    if min(len(own) for own in parts) < FEWEST:
        return np.nan
    means, deviations = ([of(own, axis=0) for own in parts] for of in (np.mean, _deviation))
    varies = np.maximum(*deviations) > 0
    if not varies.any():
        return 0.0
    moments = [(mean[varies], sd[varies], len(own)) for mean, sd, own in zip(means, deviations, parts, strict=True)]
    p = ttest_ind_from_stats(*moments[0], *moments[1], equal_var=False).pvalue
    values = [np.expm1(own[:, varies]).mean(axis=0) for own in parts]
    change = np.abs(np.log((values[0] + LEAST_MEAN) / (values[1] + LEAST_MEAN)))
    return float(((false_discovery_control(p) < FALSE_DISCOVERIES) & (change >= np.log(FOLD_CHANGE))).sum())


def _deviation(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    return np.asarray(values.std(axis=axis, ddof=1))
