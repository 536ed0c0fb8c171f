"""Expression values as users have them, and their log-normalized form.

Raw counts and log-normalized values are both welcome. A sparse matrix is never made dense and the input never changed.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from falcon_sc._blocks import count_values, log_normalized, times
from falcon_sc._checks import listed
from falcon_sc._kinds import Recognized, check_stated, recognize
from falcon_sc._on_disk.opening import is_on_disk, open_rows
from falcon_sc.core.data.memory_rows import as_rows
from falcon_sc.core.data.rows import Rows, as_csr, changed, check_unmasked, each_block, of_rows
from falcon_sc.core.start.representation.normalizations import (
    counts_can_be_recovered,
    rounded_units,
)

if TYPE_CHECKING:
    from anndata import AnnData

    from falcon_sc._kinds import Kind, Values

logger = logging.getLogger(__name__)

ASSUMED: dict[str, str] = {
    "counts": "raw counts; normalized to 10,000 a cell, then log1p",
    "lognorm": "log-normalized values (non-negative, not whole numbers, none above 30); used as they are",
    "linear": "normalized or corrected counts without a logarithm (non-negative, not whole numbers); "
    "scaled to 10,000 a cell, then log1p",
    "continuous": "continuous values; used as they are",
}


@dataclass(frozen=True)
class Expression:
    """Expression values of all genes.

    Parameters
    ----------
    values
        float32 CSR, n_obs x n_vars, as found in `adata`, without stored zeros; or its rows, where it is on disk.
    kind
        What the values were taken for.
    sure
        Whether there was evidence for it, or the user said it.
    """

    values: sparse.csr_matrix | Rows
    kind: Kind
    sure: bool = True

    @property
    def assumed(self) -> str:
        """One sentence about what was assumed."""
        return ASSUMED[self.kind]

    @cached_property
    def counts(self) -> sparse.csr_matrix | Rows | None:
        """Raw counts, float32: the values themselves, or rows that are recovered from the logarithms when read, or None."""
        if self.kind == "counts":
            return self.values
        if self.kind != "lognorm":
            return None
        rows = as_rows(self.values)
        if not counts_can_be_recovered(rows):
            return None
        logger.info("raw counts were recovered from the log-normalized values")
        return rows.then(rounded_units, rows.shape[1])

    @cached_property
    def n_genes_of_cells(self) -> np.ndarray:
        """int64, n_obs: genes with a value in each cell."""
        return self._occupied[0]

    @cached_property
    def n_cells_of_genes(self) -> np.ndarray:
        """int64, n_vars: cells in which each gene has a value."""
        return self._occupied[1]

    @cached_property
    def _occupied(self) -> tuple[np.ndarray, np.ndarray]:
        of_cells, of_genes = zip(*each_block(self.values, count_values), strict=True)
        return np.concatenate(of_cells), np.sum(of_genes, axis=0)

    @property
    def expressed(self) -> np.ndarray:
        """bool, n_vars: genes with a value in at least one cell."""
        return self.n_cells_of_genes > 0

    def of_cells(self, cells: np.ndarray) -> Expression:
        """The expression of some of the cells, chosen by a mask."""
        return self if cells.all() else replace(self, values=of_rows(self.values, cells))

    def log_normalized(self, genes: np.ndarray | None = None) -> Any:
        """float32 CSR (or rows) with the chosen genes, normalized by the total over all genes."""
        n_genes = self.values.shape[1] if genes is None else int(genes.sum()) if genes.dtype == bool else len(genes)
        return changed(self.values, partial(log_normalized, genes=genes, done=self.kind == "lognorm"), n_genes)


def read_expression(
    adata: AnnData, layer: str | None, values: Values | None = None, *, announce: bool = True
) -> Expression:
    """Read ``adata.X`` or a layer, say what it was taken for, refuse what cannot be right.

    `values`, where it is given, is what the user says that the matrix holds: "counts" or "lognorm". Without `announce`,
    nothing is said: the caller knows better what to make of a guess (`Expression.sure`).
    """
    stored, name = _find(adata, layer)
    matrix = open_rows(stored, name, adata) if is_on_disk(stored) else _as_csr(stored, name)
    if values is not None:
        check_stated(matrix, name, values)
    recognized = recognize(matrix, name)
    if values is not None:
        told = recognized if recognized.kind == values else Recognized("counts" if values == "counts" else "lognorm")
        recognized = replace(told, sure=True)
    if recognized.base != np.e:
        logger.info("%s: logarithms to the base %g, brought to the base e", name, recognized.base)
        matrix = changed(matrix, partial(times, factor=np.float32(np.log(recognized.base))), matrix.shape[1])
    if announce:
        _announce(recognized, name)
    return Expression(matrix, recognized.kind, recognized.sure)


def _announce(recognized: Recognized, name: str) -> None:
    """Say in the log what the values were taken for, and with a warning where that is hard to believe."""
    logger.info("%s: taken for %s", name, ASSUMED[recognized.kind])
    if recognized.sure:
        return
    logger.info("%s: nothing in the values proves it; if it is wrong, say values='counts' or 'continuous'", name)
    if not recognized.plausible:
        msg = (
            f"{name} was taken for log-normalized values, but the rates behind them sum to more than a million a cell: "
            "they may be corrected counts. Say values='counts', 'lognorm' or 'continuous'."
        )
        warnings.warn(msg, UserWarning, stacklevel=4)


def read_continuous(adata: AnnData, layer: str | None) -> Any:
    """Read ``adata.X`` or a layer as it is, float32, dense, CSR or rows: negative values are welcome, NaN and inf are not."""
    stored, name = _find(adata, layer)
    matrix: Any
    if is_on_disk(stored):
        matrix = open_rows(stored, name, adata)
    elif sparse.issparse(stored):
        matrix = _as_csr(stored, name)
    else:
        _check_matrix(stored, name)
        matrix = np.asarray(stored, dtype=np.float32)
    check_stated(matrix, name, "continuous")
    logger.info("%s: taken for %s", name, ASSUMED["continuous"])
    return matrix


def _find(adata: AnnData, layer: str | None) -> tuple[Any, str]:
    """``adata.X`` or a layer, and what to call it."""
    layers = [name for name in list(adata.layers.keys()) if name is not None]  # newer anndata lists X under None
    if layer is not None and layer not in layers:
        msg = f"layer={layer!r} is not in adata.layers, which has: {listed(layers)}."
        raise KeyError(msg)
    stored = adata.X if layer is None else adata.layers[layer]
    if stored is None:
        msg = f"adata.X is empty: choose one of the layers with layer=..., which are: {listed(layers)}."
        if not layers:
            msg = "adata.X is empty, and there are no layers: put the counts of the cells into adata.X."
        raise ValueError(msg)
    return stored, "adata.X" if layer is None else f"adata.layers[{layer!r}]"


def _as_csr(stored: Any, name: str) -> sparse.csr_matrix:
    """float32 CSR in canonical form without stored zeros; shares memory with the input where it can."""
    _check_matrix(stored, name)
    return as_csr(stored)


def _check_matrix(stored: Any, name: str) -> None:
    """A matrix of real numbers in memory."""
    if not sparse.issparse(stored) and not isinstance(stored, np.ndarray):
        msg = f"{name} is a {type(stored).__name__}: a numpy array or a scipy sparse matrix is needed (adata.to_memory())."
        raise TypeError(msg)
    if stored.dtype.kind not in "biuf":
        msg = f"{name} has dtype {stored.dtype}: real numbers are needed."
        raise TypeError(msg)
    check_unmasked(stored, name)
