"""When a split is supported, and which splits a cut by evidence makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Mean of `comes_back` and `agreement`: see "The tree" in docs/discovery.md for how it was chosen.
LEAST_SUPPORT = 0.62


def supported_from_above(joins: NDArray[np.int64], n_leaves: int, supported: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Splits (S,) to which a chain of supported splits leads from the coarse class.

    `joins`: (S, 2) children of each split, which come before their parents; nodes below `n_leaves` are leaves.
    """
    made = np.array(supported, dtype=bool)
    for split in range(len(joins) - 1, -1, -1):  # parents first
        for node in joins[split]:
            if node >= n_leaves:
                made[node - n_leaves] &= made[split]
    return made


def supported_or_above(joins: NDArray[np.int64], n_leaves: int, supported: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Splits (S,) that are supported, or above one that is: those that a cut by evidence makes. As :func:`supported_from_above`."""
    made = np.array(supported, dtype=bool)
    for split, nodes in enumerate(joins):
        made[split] |= any(made[node - n_leaves] for node in nodes if node >= n_leaves)
    return made
