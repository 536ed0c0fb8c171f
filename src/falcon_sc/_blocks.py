"""What is computed from expression values, as functions of a block of rows: all of a matrix in memory, or a part of it.

None of them looks beyond a cell, or what they give is summed over the blocks.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import sparse

from falcon_sc.core.data.rows import changed, each_block, row_edges

TARGET_SUM = 1e4  # paper and scanpy's tutorials: counts of a cell sum to 10,000 before log1p


def columns_of(matrix: Any, columns: np.ndarray) -> Any:
    """Some columns (a mask, or numbers) of a CSR matrix, or of rows that are read later; if all, that matrix itself."""
    if columns.dtype == bool and columns.all():
        return matrix
    n_columns = int(columns.sum()) if columns.dtype == bool else len(columns)
    return changed(matrix, partial(_columns, columns=columns), n_columns)


def _columns(values: sparse.csr_matrix, columns: np.ndarray) -> sparse.csr_matrix:
    return values[:, columns]


def sums_and_squares(values: sparse.csr_matrix) -> np.ndarray:
    """float64, 2 x n_vars: sum of each column, and of its squares."""
    sums = values.sum(axis=0, dtype=np.float64), values.power(2).sum(axis=0, dtype=np.float64)
    return np.stack([np.asarray(one).ravel() for one in sums])


def count_values(values: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    return np.diff(values.indptr).astype(np.int64), np.bincount(values.indices, minlength=values.shape[1])


def log_normalized(values: sparse.csr_matrix, genes: np.ndarray | None, *, done: bool) -> sparse.csr_matrix:
    chosen = values if genes is None else columns_of(values, genes)
    return chosen if done else log_scaled(chosen, factors_of(values))


def factors_of(values: sparse.csr_matrix) -> np.ndarray:
    """float64, n_obs: what makes the values of a cell sum to 10,000; 0 for an empty one."""
    return factors_to(TARGET_SUM, np.concatenate(each_block(values, _sums)))


def _sums(values: sparse.csr_matrix) -> np.ndarray:
    return np.asarray(values.sum(axis=1, dtype=np.float64)).ravel()


def factors_to(total: float, sums: np.ndarray) -> np.ndarray:
    """What brings each of `sums` to `total`, float64; 0 where there is nothing to bring."""
    factors: np.ndarray = np.divide(total, sums, out=np.zeros_like(sums), where=sums > 0)
    return factors


def log_scaled(values: sparse.csr_matrix, factors: np.ndarray) -> sparse.csr_matrix:
    """float32 CSR: log1p of each row times its factor; where its values are is told by the arrays of `values`."""
    data, lengths = np.empty(values.nnz, dtype=np.float32), np.diff(values.indptr)
    for begin, end in pairwise(row_edges(values)):
        own, rows = slice(values.indptr[begin], values.indptr[end]), slice(begin, end)
        data[own] = np.log1p(values.data[own] * np.repeat(factors[rows], lengths[rows]).astype(np.float32))
    return sparse.csr_matrix((data, values.indices, values.indptr), shape=values.shape)


def times(values: sparse.csr_matrix, factor: np.float32) -> sparse.csr_matrix:
    return sparse.csr_matrix((values.data * factor, values.indices, values.indptr), shape=values.shape)
