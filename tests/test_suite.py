"""What holds for every test, whatever else the machine is doing."""

from __future__ import annotations

import os
import time

import threadpoolctl
import torch
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=2)
@given(st.floats(0.25, 0.3))
def test_a_slow_example_fails_no_property(seconds: float) -> None:
    time.sleep(seconds)  # as on a busy machine; without the profile of conftest.py 0.2 s are allowed


def test_one_thread_each() -> None:
    """Also in the processes that tests start."""
    assert torch.get_num_threads() == 1
    assert {pool["num_threads"] for pool in threadpoolctl.threadpool_info()} == {1}
    assert os.environ["OMP_NUM_THREADS"] == "1"
