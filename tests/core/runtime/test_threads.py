from __future__ import annotations

import pytest
import torch
from threadpoolctl import threadpool_info

from falcon_sc.core.runtime.threads import at_most_threads, threads_for_batches


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_at_most_as_many_threads_as_given_and_afterwards_as_before(monkeypatch):
    monkeypatch.setattr("joblib.cpu_count", lambda: 2)  # whatever machine this is
    with at_most_threads(1):
        assert torch.get_num_threads() == 1
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("n_jobs", [None, -1, 64])
def test_more_than_there_are_changes_nothing(n_jobs):
    with at_most_threads(n_jobs):
        assert torch.get_num_threads() == 2


def test_small_batches_take_one_thread():
    with threads_for_batches(1000):
        assert torch.get_num_threads() == 1
    with threads_for_batches(10_000_000):
        assert torch.get_num_threads() == 2
