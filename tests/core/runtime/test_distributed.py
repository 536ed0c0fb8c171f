"""Two real processes against one on the joined batch."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from falcon_sc import Falcon, FalconConfig
from falcon_sc.core.runtime import distributed
from tests.core.planted import planted

# no batch normalization: on the CPU its batch statistics are those of each process
CONFIG = FalconConfig(
    start="random",
    n_pcs=None,
    n_neighbors=8,
    max_epochs=4,
    batch_size=64,
    n_hidden=16,
    relation_interval=3,
    batch_norm=False,
    lr=1e-2,
    lambda_M=0.01,
)
SETTINGS = {
    "uniform": replace(CONFIG, prior="uniform"),
    "within_coarse": CONFIG,
    "start": replace(CONFIG, start="consensus", warmup_iterations=6),
}


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What each of two processes found, run by run; one launch for all tests, most of it is importing torch."""
    folder = tmp_path_factory.mktemp("torchrun")
    (folder / "other").mkdir()
    (folder / "other" / "run.json").write_text('{"fingerprint": "of another run"}')
    runs = {name: (config, None) for name, config in SETTINGS.items()}
    runs["uniform"] = SETTINGS["uniform"], folder / "kept"
    runs["norms"] = replace(CONFIG, batch_norm=True), None
    runs["odd batch"] = replace(CONFIG, batch_size=63), None
    runs["other run"] = CONFIG, folder / "other"
    data = planted()
    (folder / "runs.pkl").write_bytes(pickle.dumps((data.X, data.coarse, runs)))
    script = Path(__file__).with_name("torchrun_fits.py")
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script), str(folder)]
    done = subprocess.run([sys.executable, *launch], timeout=120, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = [pickle.loads((folder / f"found{rank}.pkl").read_bytes()) for rank in range(2)]
    return *found, folder


@pytest.mark.parametrize("name", SETTINGS)
def test_two_processes_do_what_one_does(two, name):
    data = planted()
    one = Falcon(6, SETTINGS[name], device="cpu", rng=0).fit(data.X, data.coarse)
    (M, history, labels), (other_M, other_history, other_labels) = two[0][name], two[1][name]
    np.testing.assert_array_equal(M, other_M)
    np.testing.assert_array_equal(labels, other_labels)
    np.testing.assert_array_equal(M, one.relation_)
    np.testing.assert_array_equal(labels, one.labels_)
    for term, values in one.history_.items():
        np.testing.assert_array_equal(history[term], other_history[term])
        np.testing.assert_allclose(history[term], values, atol=1e-5, err_msg=term)


def test_only_the_leader_writes(two):
    assert sorted(path.name for path in (two[2] / "kept").iterdir()) == ["run.json", "training.pt"]


def test_running_statistics_are_those_of_the_leader(two):
    """On the CPU every process normalizes its own share, and still predicts the same in the end."""
    np.testing.assert_array_equal(two[0]["norms"][2], two[1]["norms"][2])


def test_an_error_is_one_in_all_processes(two):
    for name, text in (("odd batch", "batch_size=63 cannot be shared equally by 2"), ("other run", "other data, with")):
        assert text in two[0][name]
        assert two[0][name] == two[1][name]


def test_one_process_touches_nothing():
    values = torch.ones(3, requires_grad=True)
    assert distributed.mean(values) is values
    assert distributed.total(values) is values
    assert distributed.log_mean(values) is values
    assert distributed.own_share(values).shape == (3,)
    network = torch.nn.Linear(2, 2)
    assert distributed.with_joint_gradients(network, torch.device("cpu")) is network
    assert not torch.distributed.is_initialized()
