"""A matrix that is too large for memory: its rows are read a block at a time, whenever they are asked for.

What is computed from a matrix is written once, as a function of a block of rows. A sparse matrix in memory is read in
blocks as well: what is computed on the way is then small, whatever it is computed from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

LARGEST = 1e15  # of values that are used as they are: float32 holds the squares of these, and sums of a million squares
_VALUES = 1 << 22  # of a sparse matrix in memory that are looked at together: 32 MiB in float64


class Rows(ABC):
    """n x p, float32; what is read of it is CSR.

    Parameters
    ----------
    shape
        n and p.
    """

    shape: tuple[int, int]
    slow: ClassVar[bool] = False  # to read, so that what is small and needed again is better kept

    @abstractmethod
    def each[T](self, function: Callable[[sparse.csr_matrix], T]) -> Iterator[T]:
        """What `function` gives for each block of rows, in their order. It may run in another thread or process."""

    @abstractmethod
    def describe(self, block: int) -> str:
        """What to call the block with this number, in an error."""

    @abstractmethod
    def __getitem__(self, rows: np.ndarray | slice) -> sparse.csr_matrix:
        """Some rows, by a slice or by their numbers."""

    @abstractmethod
    def of(self, rows: np.ndarray) -> Self:
        """The rows of a mask (bool, n), none of them read yet."""

    @abstractmethod
    def then(self, step: Callable[[sparse.csr_matrix], sparse.csr_matrix], n_columns: int) -> Self:
        """Every block changed by `step`, which keeps its rows and looks at nothing but them."""

    @abstractmethod
    def kept(self) -> Self:
        """The same for who reads it many times: some of the blocks stay in memory, as far as that is small."""

    @abstractmethod
    def let_go(self) -> None:
        """Nobody reads it many times any more: no block stays in memory."""


def each_block[T](matrix: Any, function: Callable[[Any], T]) -> list[T]:
    """What `function` gives for each block of rows: of a dense matrix, for all of it."""
    return list(block_by_block(matrix, function))


def block_by_block[T](matrix: Any, function: Callable[[Any], T]) -> Iterator[T]:
    """The same, one after the other, where they are large."""
    if isinstance(matrix, Rows):
        return matrix.each(function)
    return map(function, row_blocks(matrix) if sparse.issparse(matrix) else [matrix])


def row_blocks(matrix: sparse.csr_matrix) -> Iterator[sparse.csr_matrix]:
    """The rows of a CSR matrix, some million values at a time."""
    if matrix.nnz <= _VALUES:
        yield matrix
        return
    for begin, end in pairwise(row_edges(matrix)):
        own = slice(matrix.indptr[begin], matrix.indptr[end])
        parts = matrix.data[own], matrix.indices[own], matrix.indptr[begin : end + 1] - matrix.indptr[begin]
        yield sparse.csr_matrix(parts, shape=(end - begin, matrix.shape[1]))


def row_edges(matrix: sparse.csr_matrix) -> list[int]:
    """First row of each block of a CSR matrix, and the end."""
    inside = np.searchsorted(matrix.indptr, np.arange(_VALUES, matrix.nnz, _VALUES))
    return sorted({0, *inside.tolist(), matrix.shape[0]})


def changed(matrix: Any, step: Callable[[Any], Any], n_columns: int) -> Any:
    """The matrix that `step` makes of every block of rows, with so many columns."""
    return matrix.then(step, n_columns) if isinstance(matrix, Rows) else step(matrix)


def of_rows(matrix: Any, rows: np.ndarray) -> Any:
    """The rows of a mask (bool, n)."""
    if rows.all():
        return matrix
    return matrix.of(rows) if isinstance(matrix, Rows) else matrix[rows]


def many_times(matrix: Any) -> Any:
    """The same matrix, for who reads its rows again and again."""
    return matrix.kept() if isinstance(matrix, Rows) else matrix


def let_go(matrix: Any) -> None:
    """No more of a matrix on disk is kept in memory: it was read for the last time, or nearly."""
    if isinstance(matrix, Rows):
        matrix.let_go()


def in_memory(matrix: Any) -> Any:
    """All rows, read."""
    return matrix[:] if isinstance(matrix, Rows) else matrix


def stacked(blocks: list[sparse.csr_matrix], n_columns: int) -> sparse.csr_matrix:
    """Float32 CSR blocks, at least one, one below the other. They are used up: at no time is all of them there twice."""
    if len(blocks) == 1:
        return blocks.pop()
    lengths = np.concatenate([[0], *(np.diff(block.indptr) for block in blocks)])
    values, columns = [block.data for block in blocks], [block.indices for block in blocks]
    blocks.clear()
    data = np.concatenate(values)
    values.clear()
    return sparse.csr_matrix((data, np.concatenate(columns), np.cumsum(lengths)), shape=(len(lengths) - 1, n_columns))


def check_unmasked(matrix: Any, name: str) -> None:
    """Refuse masked values: who masked them does not want them read, and numpy forgets the mask on the way."""
    if isinstance(matrix, np.ma.MaskedArray) and (n_masked := int(np.ma.count_masked(matrix))):
        msg = (
            f"{name} is a masked array, and {n_masked} of its values are masked: fill them first, for instance with zeros, "
            ".filled(0)."
        )
        raise ValueError(msg)


def as_csr(matrix: Any) -> sparse.csr_matrix:
    """float32 CSR in canonical form without stored zeros; shares memory with `matrix`, dense or sparse, where it can."""
    values = sparse.csr_matrix(matrix, dtype=np.float32)
    # The new object may share its arrays with the input, which must not be changed in place.
    if not values.has_canonical_format:
        values = values.copy()
        values.sum_duplicates()
    if not values.data.all():
        values = values.copy()
        values.eliminate_zeros()
    return values
