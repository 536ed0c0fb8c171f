from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import sparse

from falcon_sc._on_disk.kept_blocks import KeptBlocks

if TYPE_CHECKING:
    from collections.abc import Iterator


class Reader:
    """Blocks, and the numbers of those that were read."""

    def __init__(self, blocks: list[sparse.csr_matrix]) -> None:
        self.blocks = blocks
        self.read: list[int] = []

    def __call__(self, numbers: list[int]) -> Iterator[sparse.csr_matrix]:
        self.read += numbers
        return iter([self.blocks[number] for number in numbers])


@pytest.fixture(params=[3, 300, 70_000])
def reader(request: pytest.FixtureRequest, rng: np.random.Generator) -> Reader:
    """Counts that fit in a byte, in two, and logarithms; in as many columns."""
    p = request.param
    dense = sparse.random(60, p, 0.2 if p < 1000 else 1e-3, format="csr", dtype=np.float32, rng=rng)
    large, small = (dense * 60_000).ceil(), (dense * 200).ceil()
    return Reader([small.tocsr(), large.tocsr(), dense, (dense * 1e6).ceil().tocsr(), -dense])


def test_blocks_come_back_as_they_were(reader: Reader, rng: np.random.Generator) -> None:
    kept = KeptBlocks()
    picked = np.sort(rng.choice(60, 13, replace=False))
    for _ in range(2):
        for number, block in enumerate(reader.blocks):
            whole, some = kept.get([(number, None), (number, picked)], reader)
            for found, expected in ((whole, block), (some, block[picked])):
                assert found.dtype == np.float32
                assert (found != expected).nnz == 0
                assert found.nnz == expected.nnz
    assert reader.read == list(range(5))  # nothing in the second round


def test_full_memory(reader: Reader) -> None:
    first = KeptBlocks()
    first.get([(0, None)], reader)
    small = KeptBlocks(most=first.n_bytes)
    for _ in range(3):
        for number in range(2):
            (found,) = small.get([(number, None)], reader)
            assert (found != reader.blocks[number]).nnz == 0
    assert small.n_bytes <= small.most
    assert reader.read[1:] == [0, 1, 1, 1]
