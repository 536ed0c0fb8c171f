"""Values of genes for those who compare classes: the kind of values that the classes were found in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from falcon_sc._expression import read_continuous, read_expression
from falcon_sc._kinds import advised, check_values
from falcon_sc.core.data.rows import Rows, in_memory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData

    from falcon_sc._kinds import Values

_ADVICE = (
    "raw counts or log-normalized values are compared. Name a layer that has them with layer=..., or put them back into "
    "adata.X, for instance from adata.raw, adata.X = adata.raw[:, adata.var_names].X."
)


@dataclass(frozen=True)
class GeneValues:
    """What there is to compare.

    Parameters
    ----------
    matrix
        float32, n_obs x n_genes: log-normalized values, CSR or, of cells on disk, what reads it; or continuous ones as they
        are, CSR.
    genes
        Positions of the genes in the object: those that vary at all, or are expressed at all.
    continuous
        Whether zero means nothing, so that there are no cells "with the gene" and no fold changes.
    """

    matrix: sparse.csr_matrix | Rows
    genes: np.ndarray
    continuous: bool

    def found(self, cells: np.ndarray) -> sparse.csr_matrix:
        """Bool CSR: in which of these cells (their numbers) a gene was found; of continuous values: is above its mean over all cells."""
        own = self.matrix[cells]
        if not self.continuous:
            return own > 0
        assert not isinstance(self.matrix, Rows)
        return sparse.csr_matrix(own.toarray() > np.asarray(self.matrix.mean(axis=0)))


def read_gene_values(
    adata: AnnData, about: Mapping[str, Any], layer: str | None, values: Values | None = None
) -> GeneValues:
    """Read ``adata.X`` or a layer.

    Parameters
    ----------
    about
        The result in ``adata.uns``: what was said there about the same matrix holds here, too.
    values
        What the matrix holds, where the user says so.
    """
    check_values(values)
    params = about.get("params", {})
    if values is None and params.get("layer") == layer and "use_rep" not in params:
        values = "continuous" if params.get("assumed") == "continuous" else params.get("values")
    if values == "continuous":
        matrix = in_memory(read_continuous(adata, layer))
        dense = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
        genes = np.flatnonzero(np.ptp(dense, axis=0) > 0)
        return GeneValues(sparse.csr_matrix(dense[:, genes]), genes, continuous=True)
    with advised(_ADVICE):
        expression = read_expression(adata, layer, values)
    genes = np.flatnonzero(expression.expressed)
    return GeneValues(expression.log_normalized(genes), genes, continuous=False)
