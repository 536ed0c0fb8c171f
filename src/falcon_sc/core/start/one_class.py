"""One coarse class by itself, divided into a number of fine classes that is given: labels, and the tree through them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from falcon_sc.core.start.class_clustering import fit_class, label_class
from falcon_sc.core.start.thinning import drawn_cells, molecules
from falcon_sc.core.start.tree.splits import find_splits

if TYPE_CHECKING:
    import numpy as np
    from scipy import sparse

    from falcon_sc.core.start.input import Kind
    from falcon_sc.core.start.representation.contrast import Background
    from falcon_sc.core.start.tree.splits import Splits

FITS = (300, 560)  # about, in a coarse class without and with counts: the bar learns the rest


class Division(NamedTuple):
    """Of the n cells of a coarse class. `labels`: int64 n, 0.. by falling size; `agreement`: float32 n, on them."""

    labels: np.ndarray
    agreement: np.ndarray
    splits: Splits


def divide(
    rows: np.ndarray | sparse.csr_matrix,
    kind: Kind,
    k: int,
    n_leaves: int,
    rng: np.random.Generator,
    *,
    batch: np.ndarray | None,
    background: Background | None,
    has_counts: bool,
    n_genes: int,
    max_cells: int,
    n_repeats: int,
) -> Division:
    """Divide a coarse class (`rows`, n x genes) into `k` fine classes, with a tree of up to `n_leaves` leaves through them.

    `kind`, `batch`, `background`, `has_counts`: as in :func:`falcon_sc.core.start.class_clustering.fit_class`; `n_genes`, `max_cells`, `n_repeats`: as in :func:`falcon_sc.core.start.consensus_start.consensus_start`.
    """
    fit = fit_class(
        rows,
        kind,
        [k],
        rng,
        batch=batch,
        background=background,
        has_counts=has_counts,
        n_genes=n_genes,
        max_cells=max_cells,
    )
    own = fit.representations
    labels, agreement = label_class(own, k, rng, n_repeats=n_repeats)
    cells = drawn_cells(len(labels), rng)
    counted = molecules(cells, rows[cells], kind) if has_counts else None
    splits = find_splits(own, labels, n_leaves, rng, molecules=counted, batch=batch, n_genes=n_genes)
    return Division(labels, agreement, splits)
