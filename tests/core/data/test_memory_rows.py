from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from falcon_sc.core.data.memory_rows import MemoryRows, as_rows
from falcon_sc.core.data.rows import changed, each_block, in_memory, many_times, of_rows


@pytest.mark.parametrize("values", [10, 1000], ids=["many blocks", "one block"])
def test_rows_are_changed_when_they_are_read(
    rng: np.random.Generator, values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("falcon_sc.core.data.rows._VALUES", values)
    dense = rng.poisson(0.5, (40, 8)).astype(np.float32)
    matrix = sparse.csr_matrix(dense)
    rows = changed(changed(as_rows(matrix), lambda block: block[:, ::2], 4), lambda block: block * 2, 4)
    expected = 2 * dense[:, ::2]
    assert rows.shape == (40, 4)
    np.testing.assert_array_equal(in_memory(rows).toarray(), expected)
    numbers = np.array([7, 3, 3])
    np.testing.assert_array_equal(rows[numbers].toarray(), expected[numbers])
    np.testing.assert_array_equal(rows[5:9].toarray(), expected[5:9])
    mask = np.arange(40) % 3 == 0
    np.testing.assert_array_equal(of_rows(rows, mask)[:].toarray(), expected[mask])
    assert of_rows(rows, mask).shape == (14, 4)
    blocks = each_block(rows, lambda block: block.toarray())
    assert (len(blocks) > 1) == (values == 10)
    np.testing.assert_array_equal(np.concatenate(blocks), expected)
    assert many_times(rows) is as_rows(rows) is rows
    np.testing.assert_array_equal(matrix.toarray(), dense)


def test_without_a_change_nothing_is_copied() -> None:
    matrix = sparse.csr_matrix(np.eye(3, dtype=np.float32))
    rows = as_rows(matrix)
    assert isinstance(rows, MemoryRows)
    assert in_memory(rows) is matrix
    assert rows.describe(2) == "block 2 of a matrix in memory"
