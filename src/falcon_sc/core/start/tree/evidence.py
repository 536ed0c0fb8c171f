"""What speaks for a split inside a coarse class, without any label: numbers with a meaning, and one rule.

A split is found again in the other half of the molecules, or, where there are none, of the cells; the clusterings that voted
make it; and genes differ between its sides in molecules that no side was found with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.start.consensus import contingency
from falcon_sc.core.start.tree.class_tree import leaves_under
from falcon_sc.core.start.tree.found_again import in_halves_of_cells, in_halves_of_molecules, separation
from falcon_sc.core.start.tree.support import support_of
from falcon_sc.core.start.tree.technical import explained_by_group, explained_by_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from falcon_sc.core.start.representation.class_representations import ClassRepresentations
    from falcon_sc.core.start.thinning import Halves
    from falcon_sc.core.start.tree.class_tree import ClassTree


@dataclass(frozen=True)
class Evidence:
    """For each split of a coarse class (S,), NaN where it could not be had.

    `comes_back`: how far clusters of one half of the molecules, read off the other half, tell the two sides apart; without
    counts, clusters of some cells and of as many others. `agreement`: how far the clusterings that voted do, on average. Both
    in [0, 1], 0 for chance. `markers`: genes that differ twofold at a false discovery rate of 5 %, in the molecules that were
    not used to find the two sides. `support`: their mean by what is asked of it, above 1 a split is supported. `depth`, `batch`: share that the number of molecules and the batch explain, in [0, 1].
    """

    comes_back: NDArray[np.float64]
    agreement: NDArray[np.float64]
    support: NDArray[np.float64]
    markers: NDArray[np.float64]
    depth: NDArray[np.float64]
    batch: NDArray[np.float64]

    @property
    def supported(self) -> NDArray[np.bool_]:
        """Which splits are supported (S,)."""
        return self.support > 1


def evidence(
    tree: ClassTree,
    representations: ClassRepresentations,
    clusterings: NDArray[np.int16],
    *,
    halves: Halves | None,
    batch: NDArray[np.integer] | None,
    rng: np.random.Generator,
) -> Evidence:
    """Evidence for every split of a tree.

    Parameters
    ----------
    tree
        Of the n cells of a coarse class.
    representations
        Of the class.
    clusterings
        Those that voted on the leaves, v x n.
    halves
        Of its molecules; None where there are no counts.
    batch
        Batch of each cell (n,), if there are several.
    rng
        Draws halves of the cells, and folds.
    """
    under, nothing = leaves_under(tree.joins, len(tree.classes)), np.full(len(tree.joins), np.nan)
    sides = under[tree.joins[:, 0]], under[tree.joins[:, 1]]  # leaves on either side of each split, (S, L) each
    n_leaves = len(tree.classes)
    tables = [contingency(tree.leaves, own, n_leaves, int(own.max()) + 1) for own in clusterings]
    agreement = np.mean([separation(table, sides) for table in tables], axis=0)
    if halves is not None:
        comes_back, markers = in_halves_of_molecules(tree, sides, halves, rng)
    else:
        comes_back = in_halves_of_cells(tree, sides, representations, rng)
        markers = nothing
    depth = (
        nothing if representations.depth is None else explained_by_number(tree.leaves, *sides, representations.depth)
    )
    batches = nothing if batch is None else explained_by_group(tree.leaves, *sides, batch)
    support = support_of(comes_back, agreement, has_counts=halves is not None)
    return Evidence(comes_back, agreement, support, markers, depth, batches)
