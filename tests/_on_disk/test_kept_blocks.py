from __future__ import annotations

import platform
import subprocess
import sys

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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks Linux and glibc")
def test_what_is_let_go_goes_back_to_the_system() -> None:
    """Blocks of a few megabytes with something that lives on between them: freed, they would stay with the process."""
    code = """
from pathlib import Path
import numpy as np
from scipy import sparse
from falcon_sc._on_disk.kept_blocks import KeptBlocks, PackedBlock

def resident():
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "RssAnon" in line)

counts = sparse.csr_matrix(np.random.default_rng(0).poisson(1.0, (1000, 2000)).astype(np.float32))
before, kept, beside = resident(), KeptBlocks(), []
for number in range(60):
    kept.offer(number, PackedBlock.of(counts.copy()))
    beside.append(np.ones(20_000))
full = resident()
kept.clear()
print((full - resident()) / (full - before))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 0.8
