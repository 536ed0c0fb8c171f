"""Successive shortest paths for the relation step, compiled. The problem and the proof are in :mod:`.relations`.

One fine class (a row of the cost matrix) after another joins the relation. It may push others to a new
coarse class (a column) on its way: ``row -> a -> b -> ... -> exit`` means that the row joins ``a``, a member
of ``a`` moves on to ``b`` and so on, until the last column takes one member more and pays for it. The
cheapest such path keeps the relation optimal, and the paths run over the K_C columns only, because
``detour[a, b]`` already holds the member of ``a`` that loses least by moving to ``b``.
"""

from __future__ import annotations

from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]


_SIZE_OF_CODE = 1 << 18  # bytes, more than the files of one of the functions below


def compiled[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Compile on the first call, and keep the machine code on disk where a folder takes it.

    Where numba finds no folder (RuntimeError), or a full one, which it would notice only after hours of start, the code
    is compiled anew in each process.
    """
    try:
        kept = njit(cache=True)(function)
        with TemporaryFile(dir=kept.stats.cache_path, buffering=0) as file:
            file.write(bytes(_SIZE_OF_CODE))
    except (RuntimeError, OSError):
        kept = njit(function)
    fast: Callable[P, R] = kept
    return fast


@compiled
def assign(cost: Floats, h: float, bonus: float) -> Indices:
    """Give each row its column in an optimum of eq. 14.

    The k-th member of a column pays ``h * (2k - 1)``, so that n members pay ``h * n**2``; the first member
    gets ``bonus`` back, which is what fills every column. Ties fall to what is met first, in a fixed order.
    """
    n_rows, n_columns = cost.shape
    members = np.empty((n_columns, n_rows), np.int64)
    size = np.zeros(n_columns, np.int64)
    price = np.full(n_columns, h - bonus)
    detour = np.full((n_columns, n_columns), np.inf)
    mover = np.full((n_columns, n_columns), -1)
    length = np.empty(n_columns)
    came_from = np.empty(n_columns, np.int64)
    order = np.empty(n_columns, np.int64)

    for row in range(n_rows):
        column = _cheapest_path(cost[row], h, bonus, size, price, detour, length, came_from, order)
        while came_from[column] >= 0:
            previous = came_from[column]
            pushed = mover[previous, column]
            _leave(pushed, previous, cost, members, size, detour, mover)
            _join(pushed, column, cost, members, size, detour, mover)
            column = previous
        _join(row, column, cost, members, size, detour, mover)

    column_of = np.empty(n_rows, np.int64)
    for column in range(n_columns):
        for k in range(size[column]):
            column_of[members[column, k]] = column
    return column_of


@compiled
def _cheapest_path(
    gain: Floats,
    h: float,
    bonus: float,
    size: Indices,
    price: Floats,
    detour: Floats,
    length: Floats,
    came_from: Indices,
    order: Indices,
) -> int:
    """Dijkstra from the new row to the exit; returns the last column, ``came_from`` leads back to the row.

    Lengths may be negative, but ``length + price`` is not shortened by any arc: every member prefers its own
    column at these prices, and no column asks more than its next member would pay. ``order[:n_open]`` are
    the columns still open.
    """
    n_open = n_columns = len(size)
    nearest = np.inf
    pick = 0
    for column in range(n_columns):
        length[column] = -gain[column]
        came_from[column] = -1
        order[column] = column
        if length[column] + price[column] < nearest:
            nearest = length[column] + price[column]
            pick = column

    shortest = np.inf
    last = 0
    while nearest < shortest:
        a = order[pick]
        n_open -= 1
        order[pick] = order[n_open]
        order[n_open] = a

        so_far = length[a]
        through = so_far + h * (2 * size[a] + 1)
        if size[a] == 0:
            through -= bonus
        if through < shortest:
            shortest = through
            last = a

        onward = detour[a]
        nearest = np.inf
        for i in range(n_open):
            b = order[i]
            if so_far + onward[b] < length[b]:
                length[b] = so_far + onward[b]
                came_from[b] = a
            if length[b] + price[b] < nearest:
                nearest = length[b] + price[b]
                pick = i

    for i in range(n_open, n_columns):  # at these prices the new row is content with every column on its path
        price[order[i]] = shortest - length[order[i]]
    return last


@compiled
def _join(row: int, column: int, cost: Floats, members: Indices, size: Indices, detour: Floats, mover: Indices) -> None:
    """Add a member; it may now be the one that moves on most cheaply."""
    members[column, size[column]] = row
    size[column] += 1
    for other in range(len(size)):
        loss = cost[row, column] - cost[row, other]
        if loss < detour[column, other]:
            detour[column, other] = loss
            mover[column, other] = row


@compiled
def _leave(
    row: int, column: int, cost: Floats, members: Indices, size: Indices, detour: Floats, mover: Indices
) -> None:
    """Remove a member, and look for the next best mover only where it was the best."""
    rows = members[column]
    size[column] -= 1
    place = 0
    while rows[place] != row:
        place += 1
    rows[place] = rows[size[column]]
    for other in range(len(size)):
        if mover[column, other] == row:
            least = np.inf
            best = -1
            for k in range(size[column]):
                loss = cost[rows[k], column] - cost[rows[k], other]
                if loss < least:
                    least = loss
                    best = rows[k]
            detour[column, other] = least
            mover[column, other] = best
