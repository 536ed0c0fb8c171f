"""Rows of a dask array, a few blocks at a time: by its threads, or by the workers of a cluster, if there is a client."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import batched, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from falcon_sc._on_disk.kept_blocks import KeptBlocks
from falcon_sc.core.data.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Self

    from falcon_sc._on_disk.store import Store

    type Wanted = tuple[int, np.ndarray | None]  # number of a block, and which of its rows

_AT_ONCE = 4  # blocks in memory


@dataclass(frozen=True, eq=False)
class StoredRows(Rows):
    """See :class:`falcon_sc.core.data.rows.Rows`.

    Parameters
    ----------
    array
        The dask array, chunked by rows only.
    store
        Where it lies.
    shape
        What it becomes.
    steps
        What every block goes through, the first one from what dask reads to CSR.
    chosen
        Numbers of the rows that are wanted, rising; None for all.
    kept_blocks
        What stays in memory; None for nothing.
    """

    array: Any
    store: Store
    shape: tuple[int, int]
    steps: tuple[Callable[[Any], sparse.csr_matrix], ...]
    chosen: np.ndarray | None = None
    kept_blocks: KeptBlocks | None = None

    def each[T](self, function: Callable[[sparse.csr_matrix], T]) -> Iterator[T]:
        """See :class:`Rows`."""
        yield from self._read(self._wanted(self.chosen), function)

    def describe(self, block: int) -> str:
        """See :class:`Rows`."""
        number = list(self._own)[block]
        return self.store.rows(*self._edges[number : number + 2])

    def __getitem__(self, rows: np.ndarray | slice) -> sparse.csr_matrix:
        """See :class:`Rows`."""
        everything = isinstance(rows, slice) and rows == slice(None)
        numbers = self.chosen if everything else self._numbers[rows]
        if numbers is not None and np.any(np.diff(numbers) < 0):
            rising = np.argsort(numbers, kind="stable")
            return self[np.asarray(rows)[rising]][np.argsort(rising)]
        blocks = list(self._read(self._wanted(numbers), _itself))
        return (
            sparse.vstack(blocks, format="csr") if blocks else sparse.csr_matrix((0, self.shape[1]), dtype=np.float32)
        )

    def of(self, rows: np.ndarray) -> Self:
        """See :class:`Rows`."""
        chosen = self._numbers[rows]
        return replace(self, chosen=chosen, shape=(len(chosen), self.shape[1]), kept_blocks=None)

    def then(self, step: Callable[[sparse.csr_matrix], sparse.csr_matrix], n_columns: int) -> Self:
        """See :class:`Rows`."""
        return replace(self, steps=(*self.steps, step), shape=(self.shape[0], n_columns), kept_blocks=None)

    def kept(self) -> Self:
        """See :class:`Rows`."""
        return replace(self, kept_blocks=KeptBlocks())

    def as_dask(self) -> Any:
        """The same as a dask array, for what other libraries compute from it."""
        import dask.array as da

        wanted, meta = self._wanted(self.chosen), sparse.csr_matrix((0, self.shape[1]), dtype=np.float32)
        blocks = [
            da.from_delayed(task, shape=(self._length(*each), self.shape[1]), dtype=np.float32, meta=meta)
            for each, task in zip(wanted, self._tasks(wanted, _itself), strict=True)
        ]
        return da.concatenate(blocks)

    @cached_property
    def _numbers(self) -> np.ndarray:
        return np.arange(self.array.shape[0]) if self.chosen is None else self.chosen

    @cached_property
    def _edges(self) -> np.ndarray:
        """First row of each block, and the end."""
        return np.concatenate([[0], np.cumsum(self.array.chunks[0])]).astype(np.int64)

    @cached_property
    def _own(self) -> dict[int, np.ndarray | None]:
        """Which rows of each block are chosen."""
        return dict(self._wanted(self.chosen))

    @cached_property
    def _blocks(self) -> list[Any]:
        return list(self.array.to_delayed().ravel())

    def _length(self, number: int, picked: np.ndarray | None) -> int:
        return int(self.array.chunks[0][number]) if picked is None else len(picked)

    def _wanted(self, numbers: np.ndarray | None) -> list[Wanted]:
        """The blocks that hold rows with these rising numbers, and where they are in each."""
        if numbers is None:
            return [(block, None) for block, length in enumerate(self.array.chunks[0]) if length]
        cuts = np.searchsorted(numbers, self._edges)
        return [
            (block, numbers[begin:end] - self._edges[block])
            for block, (begin, end) in enumerate(pairwise(cuts))
            if end > begin
        ]

    def _read[T](self, wanted: Sequence[Wanted], function: Callable[[sparse.csr_matrix], T]) -> Iterator[T]:
        for group in batched(wanted, _at_once()):
            if self.kept_blocks is None:
                yield from self._compute(group, function)
            else:
                yield from map(function, self._from_kept(self.kept_blocks, group))
        self.store.check_unchanged()

    def _from_kept(self, kept_blocks: KeptBlocks, wanted: Sequence[Wanted]) -> list[sparse.csr_matrix]:
        """Rows of blocks of which, when they are kept, only those rows are kept that this is about."""
        whole = self._own
        inside = [(number, None if picked is None else _positions(whole[number], picked)) for number, picked in wanted]
        return kept_blocks.get(
            inside, lambda numbers: self._compute([(number, whole[number]) for number in numbers], _itself)
        )

    def _tasks[T](self, wanted: Sequence[Wanted], function: Callable[[sparse.csr_matrix], T]) -> list[Any]:
        from dask import delayed

        run, width = delayed(_of_block, pure=False, traverse=False), self.array.shape[1]
        return [
            run(self._blocks[number], (int(self.array.chunks[0][number]), width), picked, self.steps, function)
            for number, picked in wanted
        ]

    def _compute[T](self, wanted: Sequence[Wanted], function: Callable[[sparse.csr_matrix], T]) -> Iterator[T]:
        import dask

        tasks = self._tasks(wanted, function)
        try:
            yield from dask.compute(*tasks)
        except Exception as error:
            raise self._explained(wanted, tasks, error) from error

    def _explained(self, wanted: Sequence[Wanted], tasks: list[Any], error: Exception) -> Exception:
        """The same with the name of the rows that could not be read, found by reading one block after the other."""
        self.store.check_unchanged()
        for (number, _), task in zip(wanted, tasks, strict=True):
            try:
                task.compute()
            except Exception as own:  # noqa: BLE001 - whatever it is, it is handed on
                begin, end = self._edges[number : number + 2]
                return ValueError(
                    f"{self.store.rows(begin, end)} could not be read ({type(own).__name__}: {own}): nothing was written "
                    "to adata. The store may be damaged or incomplete."
                )
        return error


def _of_block[T](
    block: Any,
    shape: tuple[int, int],
    picked: np.ndarray | None,
    steps: Sequence[Callable[[Any], sparse.csr_matrix]],
    function: Callable[[sparse.csr_matrix], T],
) -> T:
    """What is computed where the block is."""
    if block.shape != shape:
        msg = f"there are {block.shape[0]} x {block.shape[1]} values where {shape[0]} x {shape[1]} were expected"
        raise ValueError(msg)
    rows = block if picked is None else block[picked]
    for step in steps:
        rows = step(rows)
    return function(rows)


def _itself(rows: sparse.csr_matrix) -> sparse.csr_matrix:
    return rows


def _positions(whole: np.ndarray | None, picked: np.ndarray) -> np.ndarray:
    return picked if whole is None else np.searchsorted(whole, picked)


def _at_once() -> int:
    """Blocks to ask for at the same time: twice the threads of a cluster, if there is a client of one."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return _AT_ONCE
    try:
        return max(_AT_ONCE, 2 * int(sum(distributed.get_client().nthreads().values())))
    except ValueError:
        return _AT_ONCE
