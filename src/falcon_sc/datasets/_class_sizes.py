"""How many cells and how many children the classes of a simulated hierarchy have."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

TOLERANCE = 0.03
# No class falls below this share of an equal share of the cells.
FLOOR = 1 / 20


def gini_coefficient(sizes: ArrayLike) -> float:
    r"""Inequality of sizes: :math:`\sum_{ij} |s_i - s_j| / (2 K \sum_i s_i)`, 0 for equal sizes, below 1."""
    ordered = np.sort(np.asarray(sizes, dtype=np.float64))
    n = len(ordered)
    return float((2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * ordered.sum()))


def sizes_with_gini(n_obs: int, n_classes: int, gini: float) -> NDArray[np.int64]:
    """Sizes of classes, rising, that sum to `n_obs` and have this Gini coefficient.

    Log-normal quantiles, spread so that the whole numbers, floor included, come closest to the coefficient.
    """
    quantiles = np.array([NormalDist().inv_cdf((k + 0.5) / n_classes) for k in range(n_classes)])
    floor = max(1, int(FLOOR * n_obs / n_classes))

    def with_spread(spread: float) -> NDArray[np.int64]:
        weights = np.exp(spread * (quantiles - quantiles[-1]))
        return floor + shared_out(n_obs - floor * n_classes, weights)

    low, high = 0.0, 50.0
    for _ in range(60):
        middle = (low + high) / 2
        if gini_coefficient(with_spread(middle)) < gini:
            low = middle
        else:
            high = middle
    sizes = min((with_spread(low), with_spread(high)), key=lambda s: abs(gini_coefficient(s) - gini))
    if abs(gini_coefficient(sizes) - gini) > TOLERANCE:
        lowest, highest = (gini_coefficient(with_spread(spread)) for spread in (0.0, 50.0))
        msg = (
            f"gini={gini} cannot be reached with {n_obs} cells in {n_classes} classes: "
            f"choose a value between {lowest:.2f} and {highest:.2f}, or more cells."
        )
        raise ValueError(msg)
    return sizes


def shared_out(total: int, weights: NDArray[np.floating]) -> NDArray[np.int64]:
    """Whole numbers in proportion to the weights that sum to `total` (largest remainders)."""
    exact = total * weights / weights.sum()
    shares = np.floor(exact).astype(np.int64)
    missing = total - shares.sum()
    shares[np.argsort(shares - exact, kind="stable")[:missing]] += 1
    return shares
