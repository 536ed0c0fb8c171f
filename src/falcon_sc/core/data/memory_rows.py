"""Rows of a matrix in memory that are changed whenever they are read: the changed matrix itself is never there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.core.data.rows import Rows, row_blocks, stacked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    from scipy import sparse


@dataclass(frozen=True, eq=False)
class MemoryRows(Rows):
    """See :class:`falcon_sc.core.data.rows.Rows`.

    Parameters
    ----------
    matrix
        float32 CSR.
    shape
        What it becomes.
    steps
        What its rows go through when they are read.
    """

    matrix: sparse.csr_matrix
    shape: tuple[int, int]
    steps: tuple[Callable[[sparse.csr_matrix], sparse.csr_matrix], ...] = ()

    def each[T](self, function: Callable[[sparse.csr_matrix], T]) -> Iterator[T]:
        """See :class:`Rows`."""
        for block in row_blocks(self.matrix):
            yield function(self._through(block))

    def describe(self, block: int) -> str:
        """See :class:`Rows`."""
        return f"block {block} of a matrix in memory"

    def __getitem__(self, rows: np.ndarray | slice) -> sparse.csr_matrix:
        """See :class:`Rows`."""
        if not (isinstance(rows, slice) and rows == slice(None)):
            return self._through(self.matrix[rows])
        return stacked(list(self.each(lambda block: block)), self.shape[1])

    def of(self, rows: np.ndarray) -> Self:
        """See :class:`Rows`."""
        return replace(self, matrix=self.matrix[rows], shape=(int(np.count_nonzero(rows)), self.shape[1]))

    def then(self, step: Callable[[sparse.csr_matrix], sparse.csr_matrix], n_columns: int) -> Self:
        """See :class:`Rows`."""
        return replace(self, steps=(*self.steps, step), shape=(self.shape[0], n_columns))

    def kept(self) -> Self:
        """See :class:`Rows`: what the rows are made from is in memory already."""
        return self

    def let_go(self) -> None:
        """See :class:`Rows`: it is the matrix of somebody else."""

    def _through(self, rows: sparse.csr_matrix) -> sparse.csr_matrix:
        for step in self.steps:
            rows = step(rows)
        return rows


def as_rows(matrix: Any) -> Rows:
    """A CSR matrix in memory as rows; rows as they are."""
    return matrix if isinstance(matrix, Rows) else MemoryRows(matrix, matrix.shape)
