"""Discovery on images by two real processes against one on the joined batch."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from .digits import discover_without_chance


def _two(folder, device, backend):
    script = Path(__file__).with_name("torchrun_discovers.py")
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script), str(folder)]
    command = [sys.executable, *launch, device, backend]
    done = subprocess.run(command, timeout=240, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, second = (pickle.loads((folder / f"found{rank}.pkl").read_bytes()) for rank in range(2))
    np.testing.assert_array_equal(first["relation"], second["relation"])
    np.testing.assert_array_equal(first["labels"], second["labels"])
    for term, values in first["history"].items():
        np.testing.assert_array_equal(values, second["history"][term])
    return first


def test_two_processes_do_what_one_does(tmp_path):
    """Without batch normalisation, which torch joins over processes on GPUs only."""
    two, one = _two(tmp_path, "cpu", "own"), discover_without_chance("cpu")
    np.testing.assert_array_equal(two["relation"], one["relation"])
    np.testing.assert_array_equal(two["labels"], one["labels"])
    for term, values in one["history"].items():
        np.testing.assert_allclose(two["history"][term], values, atol=1e-4, err_msg=term)
    assert two["norms"] == one["norms"] == []


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("device", "backend"),
    [
        ("cuda:0", "gloo"),  # NCCL takes no two processes on one GPU
        pytest.param(
            "cuda", "own", marks=pytest.mark.skipif(torch.cuda.device_count() < 2, reason="no two CUDA devices")
        ),
    ],
    ids=["gloo", "nccl"],
)
def test_normalisation_on_gpus_is_that_of_the_joined_batch(tmp_path, device, backend):
    two, one = _two(tmp_path, device, backend), discover_without_chance("cuda:0")
    assert two["norms"] == ["SyncBatchNorm"] * 3
    assert one["norms"] == ["BatchNorm2d"] * 3
    # the first epoch: later ones enlarge the differences of another order of summation
    for term in ("loss", "loss_coarse"):
        np.testing.assert_allclose(two["history"][term][0], one["history"][term][0], rtol=0.01)
