"""Proof that a relation is optimal: its residual graph has no negative cycle. The problem is in :mod:`.relations`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def is_relation(M: NDArray[np.float64]) -> bool:
    """Whether M meets eq. 15: 0/1, one coarse class for each fine class, at least one fine class for each coarse."""
    return bool(np.isin(M, (0, 1)).all() and (M.sum(axis=1) == 1).all() and (M.sum(axis=0) >= 1).all())


def largest_gain(M: NDArray[np.float64], cost: NDArray[np.float64], h: float) -> float:
    """Gain of the best single move at the prices that make every move as unprofitable as possible.

    The nodes are the columns and the sink. An arc a -> b moves a member of a to b; an arc to the sink gives
    a column a member more, one from the sink takes a member away. Around a cycle the prices cancel, so a
    cycle lowers the loss by at most its number of arcs times this gain: 0 (but for rounding) at an optimum.
    """
    count = M.sum(axis=0)
    column_of = M.argmax(axis=1)
    sink = len(count)
    weight = np.full((sink + 1, sink + 1), np.inf)
    for a in range(sink):
        members = cost[column_of == a]
        weight[a, :sink] = np.min(members[:, [a]] - members, axis=0)  # the member that loses least
    weight[:sink, sink] = h * (2 * count + 1)  # (n + 1)^2 - n^2
    weight[sink, :sink] = np.where(count >= 2, -h * (2 * count - 1), np.inf)  # the last member stays: eq. 15

    price = np.zeros(sink + 1)
    for _ in range(sink + 1):  # Bellman-Ford; it settles within as many rounds as there are nodes, or never
        price = np.minimum(price, np.min(price[:, None] + weight, axis=0))
    return float(-np.min(price[:, None] + weight - price))
