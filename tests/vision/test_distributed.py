"""Discovery on images by two real processes against one on the joined batch."""

from __future__ import annotations

import pickle
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from .digits import discover_in_adata, discover_without_chance


def _two(folder, device, backend):
    """What each of two processes found; one launch for all of it, most of which is importing torch."""
    script = Path(__file__).with_name("torchrun_discovers.py")
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script), str(folder)]
    command = [sys.executable, *launch, device, backend]
    done = subprocess.run(command, timeout=240, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [pickle.loads((folder / f"found{rank}.pkl").read_bytes()) for rank in range(2)]


def _assert_equal(first, second):
    np.testing.assert_array_equal(first["relation"], second["relation"])
    np.testing.assert_array_equal(first["labels"], second["labels"])
    for term, values in first["history"].items():
        np.testing.assert_array_equal(values, second["history"][term])


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    return _two(tmp_path_factory.mktemp("torchrun"), "cpu", "own")


@pytest.mark.parametrize(
    ("given", "discover"), [("images", partial(discover_without_chance, "cpu")), ("adata", discover_in_adata)]
)
def test_two_processes_do_what_one_does(two, given, discover):
    """Without batch normalization, which torch joins over processes on GPUs only."""
    first, second, one = two[0][given], two[1][given], discover()
    _assert_equal(first, second)
    np.testing.assert_array_equal(first["relation"], one["relation"])
    np.testing.assert_array_equal(first["labels"], one["labels"])
    for term, values in one["history"].items():
        np.testing.assert_allclose(first["history"][term], values, atol=1e-4, err_msg=term)
    assert first["norms"] == one["norms"] == []


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
    (two, other), one = (
        (found["images"] for found in _two(tmp_path, device, backend)),
        discover_without_chance("cuda:0"),
    )
    _assert_equal(two, other)
    assert two["norms"] == ["SyncBatchNorm"] * 3
    assert one["norms"] == ["BatchNorm2d"] * 3
    # the first epoch: later ones enlarge the differences of another order of summation
    for term in ("loss", "loss_coarse"):
        np.testing.assert_allclose(two["history"][term][0], one["history"][term][0], rtol=0.01)
