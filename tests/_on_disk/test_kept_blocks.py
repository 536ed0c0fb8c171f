from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from falcon_sc._on_disk.kept_blocks import KeptBlocks, PackedBlock


@pytest.fixture(params=[3, 300, 70_000])
def fractions(request: pytest.FixtureRequest, rng: np.random.Generator) -> sparse.csr_matrix:
    """60 cells in as many columns, values below one."""
    p = request.param
    return sparse.random(60, p, 0.2 if p < 1000 else 1e-3, format="csr", dtype=np.float32, rng=rng)


@pytest.mark.parametrize(
    ("largest", "dtype"), [(200, np.uint8), (60_000, np.uint16), (1e6, np.float32), (None, np.float32)]
)
def test_blocks_come_back_as_they_were(
    fractions: sparse.csr_matrix, largest: float | None, dtype: type, rng: np.random.Generator
) -> None:
    block = -fractions if largest is None else (fractions * (largest / fractions.max())).ceil().tocsr()
    packed = PackedBlock.of(block)
    assert packed.data.dtype == dtype
    picked = np.sort(rng.choice(60, 13, replace=False))
    for found, expected in ((packed.rows(None), block), (packed.rows(picked), block[picked])):
        assert (found.shape, found.dtype) == (expected.shape, np.float32)
        for part in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(getattr(found, part), getattr(expected, part))


def test_the_first_blocks_stay(fractions: sparse.csr_matrix) -> None:
    packed = PackedBlock.of(fractions)
    kept = KeptBlocks(most=2 * packed.n_bytes)
    for number in range(3):
        assert not kept.is_full
        kept.offer(number, packed)
    assert kept.is_full
    assert kept.n_bytes == kept.most
    assert [kept.get(number) is packed for number in range(3)] == [True, True, False]
    kept.clear()
    assert (kept.n_bytes, kept.is_full, kept.get(0)) == (0, False, None)
