"""The tree of one coarse class with what speaks for each of its splits."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.start.members import members
from falcon_sc.core.start.parallel import stop_if_unwanted
from falcon_sc.core.start.thinning import halved
from falcon_sc.core.start.tree.class_tree import ClassTree, class_tree
from falcon_sc.core.start.tree.evidence import Evidence, evidence

if TYPE_CHECKING:
    from falcon_sc.core.start.representation.class_representations import ClassRepresentations
    from falcon_sc.core.start.thinning import Molecules

CELLS_PER_LEAF = 20  # learned from, on average
# The mixtures that divide fine classes are fewer, shorter and learned from fewer cells than those that find them, which on nine
# sets of real cells makes leaves as pure, in three quarters of the time.
N_REPEATS, N_STEPS = 1, 20
MAX_CELLS = 1500


@dataclass(frozen=True)
class Splits:
    """A tree, and the evidence for each of its splits."""

    tree: ClassTree
    evidence: Evidence


def most_leaves(k: int, n_cells: int, leaves_per_class: int) -> int:
    """Leaves of a coarse class with k fine classes: some for each and one more, as far as the cells learned from carry them."""
    return max(k, min(leaves_per_class * k + 1, n_cells // CELLS_PER_LEAF))


def find_splits(
    representations: ClassRepresentations,
    labels: np.ndarray,
    n_leaves: int,
    rng: np.random.Generator,
    *,
    molecules: Molecules | None,
    batch: np.ndarray | None,
    n_genes: int,
) -> Splits:
    """The tree through the fine classes (`labels`, n) of a coarse class, with up to `n_leaves` leaves.

    `molecules`: of some of its cells, None without counts; `batch`: of each cell (n,), None if there is one; `n_genes`: chosen
    in each half of the molecules.
    """
    if n_leaves == 1:
        nothing = np.empty(0)
        tree = ClassTree(labels, np.zeros(1, dtype=np.int64), np.empty((0, 2), dtype=np.int64))
        return Splits(tree, Evidence(*[nothing] * len(fields(Evidence))))
    learned = representations.fit_cells
    if len(learned) > MAX_CELLS:
        learned = np.sort(rng.choice(learned, MAX_CELLS, replace=False))
    fewer = replace(representations, fit_cells=learned)
    voting = members(fewer, n_leaves, rng, n_repeats=N_REPEATS, equal_sizes=False, n_steps=N_STEPS, may_merge=False)
    deeper = voting.labels  # members x n
    stop_if_unwanted()
    tree = class_tree(representations, labels, deeper, n_leaves, learned)
    halves = None if molecules is None else halved(molecules, n_leaves + 1, rng, n_genes=n_genes)
    found = evidence(tree, representations, deeper, halves=halves, batch=batch, rng=rng)
    return Splits(tree, found)
