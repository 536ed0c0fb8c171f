"""When a split is supported, and which splits a cut by evidence makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What the mean of `comes_back` and `agreement` must be above, with counts and without. Chosen on simulated classes without
# substructure, with a look at the totals of annotated sets: docs/the_tree.md. Views of an embedding are alike, and agree the
# more.
LEAST_WITH_COUNTS, LEAST_WITHOUT = 0.62, 0.72


def support_of(
    comes_back: NDArray[np.float64], agreement: NDArray[np.float64], *, has_counts: bool
) -> NDArray[np.float64]:
    """How far splits (S,) are supported: above 1 they are, with 0 nothing is known. The one rule."""
    least = LEAST_WITH_COUNTS if has_counts else LEAST_WITHOUT
    return np.asarray(np.nan_to_num(comes_back + agreement) / 2 / least)


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
