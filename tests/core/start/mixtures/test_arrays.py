from __future__ import annotations

import numpy as np
import pytest
import torch

from falcon_sc.core.start.mixtures import arrays


@pytest.fixture(params=["numpy", "torch"])
def array(request: pytest.FixtureRequest, device: torch.device) -> arrays.Array:
    """2 x 3, float32."""
    values = np.array([[-1, 0, 2], [4, -5, 6]], dtype=np.float32)
    return values if request.param == "numpy" else torch.as_tensor(values, device=device)


def test_values_go_beside_an_array_and_come_back(array: arrays.Array) -> None:
    there = arrays.beside(np.array([3.0, 4.0]), array)
    assert type(there) is type(array)
    assert there.device == array.device
    back = arrays.on_host(there)
    assert type(back) is np.ndarray
    np.testing.assert_array_equal(back, [3.0, 4.0])


def test_entries_are_picked_by_numbers_of_numpy(array: arrays.Array) -> None:
    picked = arrays.entries(array, np.array([1, 0, 1]))
    np.testing.assert_array_equal(arrays.on_host(picked), [[4, -5, 6], [-1, 0, 2], [4, -5, 6]])


def test_a_lower_bound_keeps_the_dtype_and_may_overwrite(array: arrays.Array) -> None:
    bounded = arrays.at_least(array, 0)
    assert bounded.dtype == array.dtype
    np.testing.assert_array_equal(arrays.on_host(bounded), [[0, 0, 2], [4, 0, 6]])
    assert arrays.on_host(array).min() == -5
    np.testing.assert_array_equal(arrays.on_host(arrays.at_least(array, 0, overwrite=True)), arrays.on_host(bounded))
