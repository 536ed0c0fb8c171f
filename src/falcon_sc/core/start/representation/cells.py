"""Dense blocks of the chosen genes, of cells that are stored as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from falcon_sc.core.start.representation.normalizations import pseudo_counts
from falcon_sc.core.start.representation.variable_genes import select_variable_genes

if TYPE_CHECKING:
    from falcon_sc.core.start.input import Kind


@dataclass(frozen=True)
class Cells:
    """Cells of which dense blocks of the chosen genes are wanted."""

    rows: np.ndarray | sparse.csr_matrix
    counts: np.ndarray | sparse.csr_matrix | None
    library: np.ndarray | None
    columns: np.ndarray

    def block(self, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Values, counts and library of some cells, as `Normalizer` takes them."""
        values = _dense(self.rows, cells, self.columns)
        counts = self.counts
        block_counts = (
            None if counts is None else values if counts is self.rows else _dense(counts, cells, self.columns)
        )
        return values, block_counts, None if self.library is None else self.library[cells]


def counts_and_library(
    rows: np.ndarray | sparse.csr_matrix, kind: Kind, *, has_counts: bool
) -> tuple[np.ndarray | sparse.csr_matrix | None, np.ndarray | None]:
    """Counts (n x genes) and their sum in each cell (n,); None where there are none."""
    if kind in ("embedding", "panel") or (kind == "lognorm" and not has_counts):
        return None, None
    counts = rows if kind == "counts" else pseudo_counts(rows)
    return counts, np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()


def variable_columns(
    rows: np.ndarray | sparse.csr_matrix,
    counts: np.ndarray | sparse.csr_matrix | None,
    kind: Kind,
    fit_cells: np.ndarray,
    *,
    batch: np.ndarray | None,
    n_genes: int,
) -> np.ndarray:
    """Columns that vary among `fit_cells`, at most `n_genes`; the first ones of an embedding, and all of a panel."""
    if kind in ("embedding", "panel") or len(fit_cells) == 1:
        return np.arange(rows.shape[1])[:n_genes]
    learned = (rows if counts is None else counts)[fit_cells]
    if counts is None:
        learned = learned.expm1() if sparse.issparse(learned) else np.expm1(learned)
    columns = select_variable_genes(learned, n_genes, None if batch is None else batch[fit_cells])
    return columns if len(columns) > 0 else np.arange(min(rows.shape[1], 2))


def _dense(matrix: np.ndarray | sparse.csr_matrix, cells: np.ndarray, columns: np.ndarray) -> np.ndarray:
    if isinstance(matrix, np.ndarray):
        return matrix[np.ix_(cells, columns)].astype(np.float32)
    chosen = matrix[cells] if len(columns) == matrix.shape[1] else matrix[cells][:, columns]
    return np.asarray(chosen.toarray(), dtype=np.float32)
