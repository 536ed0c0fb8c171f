from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import sparse

from falcon_sc._blocks import columns_of, sums_and_squares
from falcon_sc._on_disk.opening import is_on_disk, open_rows
from falcon_sc.core.data.rows import each_block, in_memory, of_rows

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from falcon_sc._on_disk.rows import StoredRows

pytest.importorskip("dask", reason="the extra `disk` is not installed")


@pytest.fixture(params=["backed", "zarr"])
def rows(request: pytest.FixtureRequest, planted: AnnData, on_disk) -> StoredRows:
    adata = on_disk(planted, request.param)
    assert is_on_disk(adata.X)
    return open_rows(adata.X, "adata.X", adata)


def assert_equal(found: sparse.csr_matrix, expected: sparse.csr_matrix) -> None:
    assert (found.format, found.shape, found.dtype) == ("csr", expected.shape, expected.dtype)
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(found, part), getattr(expected, part))


def halved(values: sparse.csr_matrix) -> sparse.csr_matrix:
    return values * np.float32(0.5)


def rows_of(values: sparse.csr_matrix) -> int:
    return int(values.shape[0])


def test_several_blocks(rows: StoredRows) -> None:
    lengths = each_block(rows, rows_of)
    assert len(lengths) > 3
    assert sum(lengths) == 240


@pytest.mark.parametrize("most", [0, 3000, 1 << 30])
@pytest.mark.parametrize("numbers", [[0], [3, 36, 37, 38, 239], [200, 5, 100], [7, 7, 8], []])
def test_some_rows(rows: StoredRows, planted: AnnData, numbers: list[int], most: int) -> None:
    index, rows.kept_blocks.most = np.array(numbers, dtype=np.int64), most
    for _ in range(2):  # the second time from memory, as far as there is room
        assert_equal(rows[index], planted.X[index])


@pytest.mark.parametrize("most", [0, 10_000, 1 << 30])
def test_rows_columns_and_steps(rows: StoredRows, planted: AnnData, most: int, rng: np.random.Generator) -> None:
    rows.kept_blocks.most = most
    cells, genes = rng.random(240) < 0.3, rng.random(160) < 0.5
    chosen = of_rows(columns_of(rows, genes), cells).then(halved, int(genes.sum()))
    expected = halved(planted.X[cells][:, genes])
    assert chosen.shape == expected.shape
    assert_equal(in_memory(chosen), expected)
    assert_equal(chosen[np.array([1, 50])], expected[[1, 50]])
    again = rng.random(len(expected.indptr) - 1) < 0.5
    assert_equal(in_memory(of_rows(chosen, again)), expected[again])
    np.testing.assert_allclose(
        np.sum(each_block(chosen, sums_and_squares), axis=0), sums_and_squares(expected), rtol=1e-12
    )


def test_what_is_kept_is_not_read_again(rows: StoredRows, planted: AnnData, tmp_path: Path) -> None:
    sums = each_block(rows, sums_and_squares)
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name != "zarr.json":
            stamp, content = path.stat(), bytes(path.stat().st_size)
            path.write_bytes(content)  # nothing to read is left, and to see it is left as it was
            os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    np.testing.assert_array_equal(each_block(rows, sums_and_squares), sums)
    assert_equal(in_memory(rows.then(halved, 160)), halved(planted.X))
    assert_equal(rows.as_dask().compute(), planted.X)


def test_as_dask(rows: StoredRows, planted: AnnData, rng: np.random.Generator) -> None:
    cells = rng.random(240) < 0.3
    array = of_rows(rows, cells).as_dask()
    assert array.shape == (cells.sum(), 160)
    assert_equal(array.compute(), planted.X[cells])


def test_explicit_zeros_and_double_entries_are_as_in_memory(planted: AnnData, on_disk) -> None:
    adata = planted.copy()
    data, indices = adata.X.data.copy(), adata.X.indices.copy()
    data[3], indices[11] = 0, indices[10]
    adata.X = sparse.csr_matrix((data, indices, adata.X.indptr), shape=adata.shape)
    expected = sparse.csr_matrix(adata.X.toarray())
    stored = on_disk(adata, "zarr")
    assert_equal(in_memory(open_rows(stored.X, "adata.X", stored)), expected)
