"""Rows of a dask array, a few blocks at a time: by its threads, or by the workers of a cluster, if there is a client."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import batched, pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy import sparse

from falcon_sc._on_disk.kept_blocks import KeptBlocks
from falcon_sc._on_disk.tasks import itself, of_block, of_packed, result_of, threads_of_a_cluster
from falcon_sc.core.data.rows import Rows, stacked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Self

    from falcon_sc._on_disk.kept_blocks import PackedBlock
    from falcon_sc._on_disk.store import Store

    type Wanted = tuple[int, np.ndarray | None]  # number of a block, and which of its rows

_AT_ONCE = 4  # blocks in memory; twice as many as a cluster has threads


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
        What stays in memory, as the first step left it: shared by all that is made of these rows.
    often
        Whether they are read again and again: then they are kept here even if the workers of a cluster read them.
    """

    slow: ClassVar[bool] = True

    array: Any
    store: Store
    shape: tuple[int, int]
    steps: tuple[Callable[[Any], sparse.csr_matrix], ...]
    chosen: np.ndarray | None = None
    kept_blocks: KeptBlocks = field(default_factory=KeptBlocks)
    often: bool = False

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
        blocks = list(self._read(self._wanted(numbers), itself))
        return stacked(blocks, self.shape[1]) if blocks else sparse.csr_matrix((0, self.shape[1]), dtype=np.float32)

    def of(self, rows: np.ndarray) -> Self:
        """See :class:`Rows`."""
        chosen = self._numbers[rows]
        return replace(self, chosen=chosen, shape=(len(chosen), self.shape[1]))

    def then(self, step: Callable[[sparse.csr_matrix], sparse.csr_matrix], n_columns: int) -> Self:
        """See :class:`Rows`."""
        return replace(self, steps=(*self.steps, step), shape=(self.shape[0], n_columns))

    def kept(self) -> Self:
        """See :class:`Rows`."""
        return replace(self, often=True)

    def let_go(self) -> None:
        """See :class:`Rows`."""
        self.kept_blocks.clear()

    def as_dask(self) -> Any:
        """The same as a dask array, for what other libraries compute from it."""
        import dask.array as da
        from dask import delayed

        wanted, meta = self._wanted(self.chosen), sparse.csr_matrix((0, self.shape[1]), dtype=np.float32)
        only_result = delayed(result_of, pure=False)
        read_again = threads_of_a_cluster() > 0  # by the workers, rather than sent to them
        blocks = []
        for number, picked in wanted:
            packed = None if read_again else self.kept_blocks.get(number)
            task = (
                self._task(number, picked, itself, keep=False)
                if packed is None
                else self._task_again(packed, picked, itself)
            )
            length = int(self.array.chunks[0][number]) if picked is None else len(picked)
            blocks.append(
                da.from_delayed(only_result(task), shape=(length, self.shape[1]), dtype=np.float32, meta=meta)
            )
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
        n_threads = threads_of_a_cluster()
        keep = self.often or n_threads == 0
        for group in batched(wanted, max(_AT_ONCE, 2 * n_threads)):
            yield from self._compute(group, function, keep=keep and not self.kept_blocks.is_full)
        self.store.check_unchanged()

    def _compute[T](
        self, wanted: Sequence[Wanted], function: Callable[[sparse.csr_matrix], T], *, keep: bool
    ) -> Iterator[T]:
        import dask

        packed = [self.kept_blocks.get(number) for number, _ in wanted]
        missing = [each for each, block in zip(wanted, packed, strict=True) if block is None]
        tasks = [self._task(*each, function, keep=keep) for each in missing]
        again = [
            self._task_again(block, picked, function)
            for (_, picked), block in zip(wanted, packed, strict=True)
            if block is not None
        ]
        try:
            read = iter(dask.compute(*tasks))
        except Exception as error:
            raise self._explained(missing, tasks, error) from error
        from_memory = iter(dask.compute(*again, scheduler="threads" if threads_of_a_cluster() else None))
        for (number, _), block in zip(wanted, packed, strict=True):
            fresh, result = next(read) if block is None else next(from_memory)
            if fresh is not None:
                self.kept_blocks.offer(number, fresh)
            yield result

    def _task[T](
        self, number: int, picked: np.ndarray | None, function: Callable[[sparse.csr_matrix], T], *, keep: bool
    ) -> Any:
        """What dask does with a block: its packed form, if it is to be kept, and the result of `function`."""
        from dask import delayed

        shape = (int(self.array.chunks[0][number]), self.array.shape[1])
        run = delayed(of_block, pure=False, traverse=False)
        return run(self._blocks[number], shape, picked, self.steps, function, keep=keep)

    def _task_again[T](
        self, block: PackedBlock, picked: np.ndarray | None, function: Callable[[sparse.csr_matrix], T]
    ) -> Any:
        """The same with a block that was kept."""
        from dask import delayed

        return delayed(of_packed, pure=False, traverse=False)(block, picked, self.steps[1:], function)

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
