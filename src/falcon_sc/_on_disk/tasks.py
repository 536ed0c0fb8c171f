"""What dask computes with one block, in whichever thread or process it is read."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from falcon_sc._on_disk.kept_blocks import PackedBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from scipy import sparse


def of_block[T](
    block: Any,
    shape: tuple[int, int],
    picked: np.ndarray | None,
    steps: Sequence[Callable[[Any], sparse.csr_matrix]],
    function: Callable[[sparse.csr_matrix], T],
    *,
    keep: bool,
) -> tuple[PackedBlock | None, T]:
    """Its packed form, if it is to be kept, and the result of `function` for its rows after `steps`."""
    if block.shape != shape:
        msg = f"there are {block.shape[0]} x {block.shape[1]} values where {shape[0]} x {shape[1]} were expected"
        raise ValueError(msg)
    if not keep:
        return None, _through(block if picked is None else block[picked], steps, function)
    whole = steps[0](block)
    return PackedBlock.of(whole), _through(whole if picked is None else whole[picked], steps[1:], function)


def of_packed[T](
    block: PackedBlock,
    picked: np.ndarray | None,
    steps: Sequence[Callable[[Any], sparse.csr_matrix]],
    function: Callable[[sparse.csr_matrix], T],
) -> tuple[None, T]:
    """The same of a block that was kept."""
    return None, _through(block.rows(picked), steps, function)


def _through[T](
    rows: Any, steps: Sequence[Callable[[Any], sparse.csr_matrix]], function: Callable[[sparse.csr_matrix], T]
) -> T:
    for step in steps:
        rows = step(rows)
    return function(rows)


def result_of[T](packed_andresult: tuple[PackedBlock | None, T]) -> T:
    return packed_andresult[1]


def itself(rows: sparse.csr_matrix) -> sparse.csr_matrix:
    """Nothing is computed."""
    return rows


def threads_of_a_cluster() -> int:
    """Threads of the workers, if there is a client of a dask cluster; else 0."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return 0
    try:
        return sum(int(n) for n in distributed.get_client().nthreads().values())
    except ValueError:
        return 0
