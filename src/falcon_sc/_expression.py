"""What kind of values an expression matrix holds, and its log-normalised form.

Raw counts and log-normalised values are both welcome, users have either. The matrix is
never made dense and the input never changed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import sparse

from falcon_sc._checks import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData

    Kind = Literal["counts", "lognorm", "linear"]

logger = logging.getLogger(__name__)

TARGET_SUM = 1e4  # paper and scanpy's tutorials: counts of a cell sum to 10,000 before log1p
_LARGEST_LOG = 30.0  # log2(1 + 10^9): no logarithm of a count or a rate is larger
_CONSTANT = 1e-3  # relative spread below which row sums count as equal
_ROWS_TO_JUDGE = 10  # equal row sums of fewer cells prove nothing
_CHUNK = 1 << 22

_ASSUMED = {
    "counts": "raw counts (non-negative integers); normalised to 10,000 a cell, then log1p",
    "lognorm": "log-normalised values (non-negative, not integers, none above 30); used as they are",
    "linear": "normalised values without a logarithm (non-negative, not integers); scaled to 10,000 a cell, then log1p",
}


@dataclass(frozen=True)
class Expression:
    """Expression values of all genes.

    Parameters
    ----------
    values
        float32 CSR, n_obs x n_vars, as found in `adata`, without stored zeros.
    kind
        What the values were taken for.
    """

    values: sparse.csr_matrix
    kind: Kind

    @property
    def assumed(self) -> str:
        """One sentence about what was assumed."""
        return _ASSUMED[self.kind]

    @cached_property
    def counts(self) -> sparse.csr_matrix | None:
        """Raw counts, float32 CSR: the values themselves, or recovered from the logarithms, or None."""
        if self.kind == "counts":
            return self.values
        return _recovered_counts(self.values) if self.kind == "lognorm" else None

    @cached_property
    def expressed(self) -> np.ndarray:
        """bool, n_vars: genes with a value in at least one cell."""
        return np.bincount(self.values.indices, minlength=self.values.shape[1]) > 0

    def of_cells(self, cells: np.ndarray) -> Expression:
        """The expression of some of the cells, chosen by a mask."""
        return self if cells.all() else Expression(self.values[cells], self.kind)

    def log_normalised(self, genes: np.ndarray | None = None) -> sparse.csr_matrix:
        """float32 CSR with the chosen genes, normalised by the total over all genes."""
        chosen = self.values if genes is None else self.values[:, genes]
        if self.kind == "lognorm":
            return chosen
        totals = np.asarray(self.values.sum(axis=1, dtype=np.float64)).ravel()
        factors = np.divide(TARGET_SUM, totals, out=np.zeros_like(totals), where=totals > 0)
        data = np.log1p(chosen.data * np.repeat(factors, np.diff(chosen.indptr)).astype(np.float32))
        return sparse.csr_matrix((data, chosen.indices, chosen.indptr), shape=chosen.shape)


def read_expression(adata: AnnData, layer: str | None) -> Expression:
    """Read ``adata.X`` or a layer, say in the log what it was taken for, refuse what cannot be right."""
    layers = [name for name in list(adata.layers.keys()) if name is not None]  # newer anndata lists X under None
    if layer is not None and layer not in layers:
        msg = f"layer={layer!r} is not in adata.layers, which has: {listed(layers)}."
        raise KeyError(msg)
    name = "adata.X" if layer is None else f"adata.layers[{layer!r}]"
    found = adata.X if layer is None else adata.layers[layer]
    if found is None:
        msg = f"adata.X is empty: choose one of the layers with layer=..., which are: {listed(layers)}."
        raise ValueError(msg)
    values = _as_csr(found, name)
    kind = recognise(values, name)
    logger.info("%s: taken for %s", name, _ASSUMED[kind])
    return Expression(values, kind)


def recognise(values: sparse.csr_matrix, name: str) -> Kind:
    """Tell counts from log-normalised and linear values; refuse NaN, inf, negative values and an empty matrix."""
    largest, integers = 0.0, True
    for chunk in _chunks(values.data):
        if not np.isfinite(chunk).all():
            msg = f"{name} holds NaN or inf: remove or fill those values first."
            raise ValueError(msg)
        if chunk.min() < 0:
            msg = (
                f"{name} holds negative values (smallest found {chunk.min():g}), so it looks scaled or centred: "
                "pass raw counts or log-normalised values, e.g. with layer='counts' or adata.raw.to_adata(), "
                "or an embedding with use_rep=..."
            )
            raise ValueError(msg)
        largest = max(largest, float(chunk.max()))
        integers = integers and bool((chunk == np.rint(chunk)).all())
    if largest == 0.0:
        msg = f"{name} holds nothing but zeros."
        raise ValueError(msg)
    if integers:
        return "counts"
    return "linear" if largest > _LARGEST_LOG or _equal_row_sums(values) else "lognorm"


def read_embedding(adata: AnnData, use_rep: str) -> np.ndarray:
    """Read ``adata.obsm[use_rep]`` as float32, n_obs x n_dimensions; NaN and inf are refused."""
    if use_rep not in adata.obsm:
        msg = f"use_rep={use_rep!r} is not in adata.obsm, which has: {listed(adata.obsm)}. Compute it first."
        raise KeyError(msg)
    place = f"adata.obsm[{use_rep!r}]"
    found: Any = adata.obsm[use_rep]
    if sparse.issparse(found):
        found = found.toarray()
    try:
        with np.errstate(over="ignore"):  # what becomes infinite is named below
            values = np.require(
                found, dtype=np.float32, requirements=["C", "W"]
            )  # torch warns of what it cannot write to
    except (TypeError, ValueError) as error:
        msg = (
            f"{place} holds something that is no number ({error}): keep its numeric columns, in another entry of obsm."
        )
        raise TypeError(msg) from error
    if values.ndim != 2 or values.shape[1] == 0:
        msg = f"{place} has shape {values.shape}: a matrix with a row of numbers for each cell is needed."
        raise ValueError(msg)
    if not np.isfinite(values).all():
        msg = f"{place} holds NaN or inf: remove or fill those values first."
        raise ValueError(msg)
    return values


def _as_csr(found: Any, name: str) -> sparse.csr_matrix:
    """float32 CSR in canonical form without stored zeros; shares memory with the input where it can."""
    if not sparse.issparse(found) and not isinstance(found, np.ndarray):
        msg = (
            f"{name} is a {type(found).__name__}: a numpy array or a scipy sparse matrix is needed (adata.to_memory())."
        )
        raise TypeError(msg)
    if found.dtype.kind not in "biuf":
        msg = f"{name} has dtype {found.dtype}: real numbers are needed."
        raise TypeError(msg)
    values = sparse.csr_matrix(found, dtype=np.float32)
    # The new object may share its arrays with the input, which must not be changed in place.
    if not values.has_canonical_format:
        values = values.copy()
        values.sum_duplicates()
    if not all(chunk.all() for chunk in _chunks(values.data)):
        values = values.copy()
        values.eliminate_zeros()
    return values


def _chunks(data: np.ndarray) -> Iterator[np.ndarray]:
    """Pieces of the stored values, so that a test of them needs little memory."""
    for start in range(0, data.size, _CHUNK):
        yield data[start : start + _CHUNK]


def _equal_row_sums(values: sparse.csr_matrix) -> bool:
    """Whether every cell sums to the same total, as after a normalisation without a logarithm."""
    sums = np.asarray(values.sum(axis=1, dtype=np.float64)).ravel()
    sums = sums[sums > 0]
    return sums.size >= _ROWS_TO_JUDGE and bool(sums.std() < _CONSTANT * sums.mean())


def _recovered_counts(values: sparse.csr_matrix) -> sparse.csr_matrix | None:
    """Counts behind log1p-normalised values: the smallest value of nearly every cell stands for one count.

    Dividing ``expm1(x)`` of a cell by its smallest value gives integers if that holds. None if
    more than 1% of the results are further than 0.05 from an integer.
    """
    filled = np.flatnonzero(np.diff(values.indptr))
    rates = np.expm1(values.data, dtype=np.float64)
    one = np.ones(values.shape[0])
    one[filled] = np.minimum.reduceat(rates, values.indptr[filled])
    rates /= np.repeat(one, np.diff(values.indptr))
    counts = np.rint(rates)
    if (np.abs(rates - counts) > 0.05).mean() > 0.01:
        return None
    logger.info("raw counts were recovered from the log-normalised values")
    return sparse.csr_matrix((counts.astype(np.float32), values.indices, values.indptr), shape=values.shape)
