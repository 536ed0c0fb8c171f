from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy import sparse

from falcon_sc.core.data.rows import as_csr, changed, each_block, in_memory, many_times, of_rows, row_blocks, stacked


def test_a_dense_matrix_is_one_block(rng: np.random.Generator) -> None:
    matrix = rng.random((6, 4)).astype(np.float32)
    assert each_block(matrix, lambda block: block.shape) == [(6, 4)]
    np.testing.assert_array_equal(changed(matrix, lambda block: block[:, :2], 2), matrix[:, :2])
    rows = np.array([True, False] * 3)
    np.testing.assert_array_equal(of_rows(matrix, rows), matrix[::2])
    assert of_rows(matrix, np.ones(6, dtype=bool)) is in_memory(matrix) is many_times(matrix) is matrix


@pytest.mark.parametrize("index_type", [np.int32, np.int64])
def test_a_sparse_matrix_is_read_in_blocks(
    rng: np.random.Generator, index_type: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("falcon_sc.core.data.rows._VALUES", 10)
    dense = rng.poisson(0.5, (40, 8)).astype(np.float32)
    dense[[0, 7, 39]] = 0
    dense[20] = 1 + np.arange(8)
    matrix = sparse.csr_matrix(dense)
    matrix.indices, matrix.indptr = matrix.indices.astype(index_type), matrix.indptr.astype(index_type)
    blocks = list(row_blocks(matrix))
    assert len(blocks) > 10
    assert max(block.nnz for block in blocks) <= 10 + 8
    np.testing.assert_array_equal(sparse.vstack(blocks).toarray(), dense)
    assert sum(each_block(matrix, lambda block: block.shape[0])) == 40
    assert [block.shape for block in row_blocks(matrix[:0])] == [(0, 8)]


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix, sparse.csc_matrix, sparse.coo_matrix])
def test_as_csr(form, rng: np.random.Generator) -> None:
    dense = rng.poisson(0.5, (7, 5)).astype(np.float64)
    found = as_csr(form(dense))
    assert (found.format, found.dtype, found.nnz) == ("csr", np.float32, np.count_nonzero(dense))
    np.testing.assert_array_equal(found.toarray(), dense)


def test_as_csr_changes_no_input() -> None:
    parts = np.array([1, 0, 2, 3], dtype=np.float32), np.array([2, 1, 0, 0]), np.array([0, 2, 4])
    stored = sparse.csr_matrix(parts, shape=(2, 3))
    found = as_csr(stored)
    np.testing.assert_array_equal(found.toarray(), [[0, 0, 1], [5, 0, 0]])
    assert found.nnz == 2
    assert stored.nnz == 4
    np.testing.assert_array_equal(parts[0], [1, 0, 2, 3])


def test_stacked_blocks_are_never_there_twice(rng: np.random.Generator) -> None:
    dense = rng.poisson(2, (5_000, 100)).astype(np.float32)
    dense[[0, 999, 1_000]] = 0
    tracemalloc.start()
    try:
        blocks = [sparse.csr_matrix(dense[begin : begin + 1_000]) for begin in range(0, 5_000, 1_000)]
        n_bytes = sum(block.data.nbytes + block.indices.nbytes for block in blocks)
        tracemalloc.reset_peak()
        found = stacked(blocks, 100)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (found.dtype, found.indices.dtype, found.has_canonical_format) == (np.float32, np.int32, True)
    np.testing.assert_array_equal(found.toarray(), dense)
    assert blocks == []
    assert peak < 1.7 * n_bytes
