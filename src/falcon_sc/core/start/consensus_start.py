"""The label-free start: how many fine classes in each coarse class, and which cell in which, before any training.

For every coarse class: representations of its own (`representation`), contrasted with the other classes, and tied
mixtures over k (`class_clustering`); over all coarse classes: the allocation of the n_fine classes (`allocation`);
then a consensus of the representations.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.start import allocation
from falcon_sc.core.start.class_clustering import ClassFit, fit_class, label_class, paths
from falcon_sc.core.start.coarse_classes import CoarseClasses
from falcon_sc.core.start.input import most_classes
from falcon_sc.core.start.keeping import KeptClasses
from falcon_sc.core.start.numbers import gains_along, largest_k, undecided
from falcon_sc.core.start.progress import FitsBar
from falcon_sc.core.start.start import Start
from falcon_sc.core.start.thinning import drawn_cells
from falcon_sc.core.start.tree.forest import Tree
from falcon_sc.core.start.tree.splits import Splits, find_splits, most_leaves
from falcon_sc.core.start.workers import workers_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from falcon_sc.core.start.input import StartInput
    from falcon_sc.core.start.keeping import Storage

logger = logging.getLogger(__name__)

# What a bar expects of a coarse class, without counts and with them; it learns the rest from those that are done.
PATHS = (15, 18)  # of mixtures for all numbers of components
FITS_BESIDE = 20  # on a path, beside one for each number
FITS_PER_REPEAT = (46, 108)  # of mixtures that vote
FITS_OF_TREE = (160, 370)


def consensus_start(
    start_input: StartInput,
    coarse: np.ndarray,
    n_fine: int | Sequence[int] | np.ndarray,
    *,
    fixed: np.ndarray | None = None,
    rng: int | np.random.Generator | None,
    n_jobs: int | None = None,
    progress_bar: bool = False,
    storage: Storage | None = None,
    n_genes: int = 2000,
    max_cells: int = 3500,
    n_repeats: int = 4,
    equal_sizes: bool = False,
    leaves_per_class: int = 1,
) -> Start:
    """Cluster the cells inside every coarse class into `n_fine` classes altogether, without any fine label.

    Parameters
    ----------
    start_input
        The cells.
    coarse
        Codes 0..K_C-1, int, n; every code occurs.
    n_fine
        Their total, from the number of coarse classes to what these can have at most (`most_classes`); or their number in each coarse class (K_C), from 1
        to that of its cells. It is taken as it is: `core.data.budget` has checked it.
    fixed
        Of a total, the numbers of some coarse classes, int64 K_C: the others, with 0, share the rest out.
    rng
        Seed or generator; the same one gives the same labels, whatever `n_jobs`.
    n_jobs
        Coarse classes worked on at once, at most, in processes of their own: see `workers_for`.
    progress_bar
        Show a bar over the fits in all coarse classes.
    storage
        Where coarse classes that are done are kept, for the same call after an interrupt.
    n_genes
        Genes chosen inside each coarse class (the paper's 2000).
    max_cells
        Cells of a class the models are fitted on; the others follow through the models.
    n_repeats
        Mixtures of each kind and representation in the consensus, and more where it hangs on which of them vote: see `label_class`.
    equal_sizes
        Expect fine classes of one size (eq. 9): a total `n_fine` is shared out by the sizes of the coarse classes, and
        the components of a mixture have equal weights.
    leaves_per_class
        Leaves of the tree for each fine class, at most; 1: no tree.
    """
    coarse = np.asarray(coarse, dtype=np.int64)
    sizes = np.bincount(coarse)
    fixed = np.zeros(len(sizes), dtype=np.int64) if fixed is None else fixed
    given = None if np.ndim(n_fine) == 0 else np.asarray(n_fine, dtype=np.int64)
    total = int(np.sum(n_fine))
    free = fixed == 0
    rest = total - int(fixed.sum())  # for the coarse classes that are free
    if total == len(sizes):
        return Start(np.eye(total, dtype=np.uint8), coarse, np.ones(len(coarse), dtype=np.float32))
    if given is None and rest == free.sum():
        given = np.maximum(fixed, 1)
    elif given is None and equal_sizes:
        given = _among(free, fixed, allocation.by_size(sizes[free], rest, most_classes(sizes[free])))
    classes = CoarseClasses(start_input, coarse)
    k_max = _among(free, fixed, largest_k(sizes[free], rest)) if given is None else given
    root = np.random.default_rng(rng)
    generators, of_trees = root.spawn(len(sizes)), root.spawn(len(sizes))  # with a tree the labels are the same
    wants_tree = leaves_per_class > 1
    to_halve = [drawn_cells(n, own) for n, own in zip(sizes.tolist(), of_trees, strict=True)]  # for the evidence

    def fit(c: int) -> ClassFit:
        several = given is None and free[c]
        options = {
            "ks": range(1, int(k_max[c]) + 1) if several else [int(k_max[c])],
            "n_genes": n_genes,
            "max_cells": max_cells,
        }
        return workers.run(
            fit_class, lambda: classes.given(c, to_halve[c] if wants_tree else None) | options, generators[c]
        )

    kept = KeptClasses(storage)

    def further_paths(c: int) -> np.ndarray | None:
        if not again[c]:
            return None
        options = {"kind": classes.kind, "ks": range(1, int(k_max[c]) + 1)}
        own = {"representations": fits[c].representations} | options
        return kept.paths(c, generators[c], lambda: workers.run(paths, lambda: own, generators[c]))

    def label(c: int) -> tuple[np.ndarray, np.ndarray]:
        k = int(n_per_class[c])
        options = {"k": k, "n_repeats": n_repeats, "equal_sizes": equal_sizes, "merged_before": fits[c].merged(k)}
        return workers.run(label_class, lambda: {"representations": fits[c].representations} | options, generators[c])

    def label_and_split(c: int) -> tuple[np.ndarray, np.ndarray, Splits | None]:
        labels, agreement = kept.labels(c, lambda: label(c))
        if not wants_tree:
            return labels, agreement, None

        def split() -> Splits:
            k = int(n_per_class[c])
            n_leaves = most_leaves(k, min(int(sizes[c]), max_cells), leaves_per_class)
            own = {"representations": fits[c].representations, "labels": labels, "n_leaves": n_leaves}
            options = {"batch": classes.batch_of(c), "n_genes": n_genes}
            return workers.run(
                find_splits, lambda: own | options | {"molecules": classes.molecules(c, to_halve[c])}, of_trees[c]
            )

        return labels, agreement, kept.splits(c, split)

    logger.info(
        "start: %d samples in %d coarse classes, up to %d fine ones in each%s",
        len(coarse), len(sizes), max(k_max), "; a panel, in the scale of its markers" if classes.kind == "panel" else "",
    )  # fmt: skip
    on_paths = PATHS[classes.has_counts] * (k_max + FITS_BESIDE) * (k_max > 1) * free * (given is None)
    voting = (FITS_PER_REPEAT[classes.has_counts] * n_repeats + FITS_OF_TREE[classes.has_counts] * wants_tree) * (
        k_max > 1
    )
    with (
        workers_for(len(coarse), len(sizes), n_jobs) as workers,
        FitsBar(on_paths, np.zeros_like(on_paths), voting, shown=progress_bar) as bar,
    ):
        fits = classes.each(lambda c: kept.fit(c, generators[c], lambda: fit(c)), workers=workers, stage=bar.stages[0])
        n_leading = sum(own.representations.own_scale for own in fits)
        if n_leading and classes.kind != "panel":
            logger.info(
                "start: in %d of %d coarse classes one axis leads: clusters in log values alone", n_leading, len(sizes)
            )
        gains: list[np.ndarray] = []
        if given is None:
            curves = [fit.log_likelihood for fit, is_free in zip(fits, free, strict=True) if is_free]
            again = _among(free, np.zeros_like(fixed), undecided(curves, sizes[free], rest)) > 0
            bar.stages[1].expected[again] = on_paths[again]
            more = classes.each(further_paths, workers=workers, stage=bar.stages[1])
            for i, c in enumerate(np.flatnonzero(free).tolist()):
                further = more[c]
                if further is not None:
                    curves[i] = np.concatenate([curves[i], further])
            gains = gains_along(curves, sizes[free], rest)
        n_per_class = (
            _among(free, fixed, allocation.largest_gains(gains, rest - int(free.sum()))) if given is None else given
        )
        if not wants_tree:
            bar.stages[2].expected[n_per_class == 1] = 0
        local = classes.each(label_and_split, workers=workers, stage=bar.stages[2])

    if kept.taken:
        logger.info("start: done before the interrupt, of the coarse classes: %s", kept.summary)
    labels = np.empty(len(coarse), dtype=np.int64)
    agreement = np.empty(len(coarse), dtype=np.float32)
    latents = np.empty((len(coarse), fits[0].representations.latent().shape[1]), dtype=np.float32)
    offsets = np.cumsum(n_per_class) - n_per_class
    for c in range(len(sizes)):
        cells = classes.members(c)
        own, agreement[cells], _ = local[c]
        labels[cells] = offsets[c] + own
        latents[cells] = fits[c].representations.latent()
    logger.info("start: the clusterings agree on a label to %.0f %%, on average", 100 * agreement.mean())
    relation = np.repeat(np.eye(len(sizes), dtype=np.uint8), n_per_class, axis=0)
    if not wants_tree:
        return Start(relation, labels, agreement, latents)
    splits = [found for _, _, found in local if found is not None]
    shared = iter(gains)
    tree = Tree.of(splits, offsets.tolist(), [next(shared, None) if is_free else None for is_free in free])
    leaves, n_before = np.empty_like(labels), 0
    for c, found in enumerate(splits):
        leaves[classes.members(c)] = n_before + found.tree.leaves
        n_before += len(found.tree.classes)
    return Start(relation, labels, agreement, latents, leaves, tree)


def _among(free: np.ndarray, fixed: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """The fixed numbers (K_C), and `numbers` for the classes that are free."""
    result = fixed.copy()
    result[free] = numbers
    return result
