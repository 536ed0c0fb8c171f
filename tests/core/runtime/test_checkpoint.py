from __future__ import annotations

import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from falcon_sc.core.runtime import checkpoint
from falcon_sc.core.runtime.checkpoint import Checkpoint, fingerprint, seconds_spent


def test_round_trip(tmp_path):
    kept = Checkpoint(tmp_path / "run", "abc", seconds_between_writes=0)
    assert kept.load_start() is None
    assert kept.load_training(torch.device("cpu")) is None
    kept.save_start({"labels": np.arange(3)})
    kept.save_training({"epoch": 4, "weights": torch.ones(2)})
    again = Checkpoint(tmp_path / "run", "abc")
    assert again.load_start()["labels"].tolist() == [0, 1, 2]
    state = again.load_training(torch.device("cpu"))
    assert state["epoch"] == 4
    assert state["weights"].tolist() == [1, 1]
    assert not list(tmp_path.glob("run/*.part"))


def test_a_run_on_other_data_is_refused(tmp_path):
    Checkpoint(tmp_path, "abc")
    with pytest.raises(ValueError, match="other data, with other settings or another seed"):
        Checkpoint(tmp_path, "abd")


def test_a_run_that_another_version_began_is_refused(tmp_path):
    Checkpoint(tmp_path, "abc")
    (tmp_path / "run.json").write_text('{"fingerprint": "abc", "seconds": 1.0}')  # as the first ones were
    with pytest.raises(ValueError, match=r"written by another version of falcon_sc.*Give another folder"):
        Checkpoint(tmp_path, "abc")


@pytest.mark.parametrize("name", ["run.json", "start.npz", "training.pt"])
@pytest.mark.parametrize("share", [0, 0.5])
def test_a_file_that_is_cut_short_is_named(tmp_path, name, share):
    """A folder that was not copied to its end, say: our own writes are whole."""
    kept = Checkpoint(tmp_path, "abc")
    kept.save_start({"labels": np.arange(3)})
    kept.save_training({"epoch": 1, "weights": torch.ones(500)})
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(share * len(whole))])

    def go_on():
        again = Checkpoint(tmp_path, "abc")
        again.load_start()
        again.load_training(torch.device("cpu"))

    with pytest.raises(ValueError, match=f"checkpoint=.*: '{name}' in it cannot be read"):
        go_on()


def test_time_is_that_of_what_is_kept(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    assert seconds_spent(tmp_path) == 0
    kept = Checkpoint(tmp_path, "abc")
    now[0] += 5
    kept.save_start({"labels": np.arange(3)})
    assert seconds_spent(tmp_path) == 5
    now[0] += 7
    kept.save_training({"epoch": 1})
    now[0] += 1000  # lost
    again = Checkpoint(tmp_path, "abc")
    assert seconds_spent(tmp_path) == 12
    now[0] += 2
    again.save_training({"epoch": 2})
    assert seconds_spent(tmp_path) == 14


def test_parts_are_kept_until_the_start_is_done(tmp_path):
    kept = Checkpoint(tmp_path, "abc")
    assert kept.load_part("fits_3") is None
    kept.save_part("fits_3", {"scores/log": np.arange(4.0)})
    assert Checkpoint(tmp_path, "abc").load_part("fits_3")["scores/log"].tolist() == [0, 1, 2, 3]
    assert {path.name for path in tmp_path.rglob("*")} == {"run.json", "start", "fits_3.npz"}
    kept.save_start({"labels": np.arange(3)})
    assert {path.name for path in tmp_path.rglob("*")} == {"run.json", "start.npz"}


def test_parts_of_many_threads(tmp_path):
    kept = Checkpoint(tmp_path, "abc")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: kept.save_part(f"fits_{i}", {"own": np.full(9, i)}), range(40)))
    again = Checkpoint(tmp_path, "abc")
    assert [again.load_part(f"fits_{i}")["own"][0] for i in range(40)] == list(range(40))
    assert not list(tmp_path.rglob("*.part"))


def test_a_part_that_is_cut_short_is_named(tmp_path):
    kept = Checkpoint(tmp_path, "abc")
    kept.save_part("fits_3", {"own": np.arange(500)})
    path = tmp_path / "start" / "fits_3.npz"
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(ValueError, match=r"checkpoint=.*: 'start/fits_3\.npz' in it cannot be read"):
        Checkpoint(tmp_path, "abc").load_part("fits_3")


def test_a_full_disk_is_told_once_for_all_parts(tmp_path, caplog, full_disk):
    kept = Checkpoint(tmp_path, "abc")
    with full_disk():
        for i in range(5):
            kept.save_part(f"fits_{i}", {"own": np.arange(3)})
    assert len(caplog.messages) == 1
    assert not list((tmp_path / "start").iterdir())


def test_it_is_sent_between_processes(tmp_path):
    """Of several processes the leading one opens it."""
    kept = pickle.loads(pickle.dumps(Checkpoint(tmp_path, "abc")))
    kept.save_part("fits_0", {"own": np.arange(3)})
    assert kept.load_part("fits_0")["own"].tolist() == [0, 1, 2]


def test_writes_are_apart_in_time(tmp_path):
    assert not Checkpoint(tmp_path, "a", seconds_between_writes=3600).is_due()
    assert Checkpoint(tmp_path, "a", seconds_between_writes=0).is_due()


def test_the_run_goes_on_where_its_state_cannot_be_kept(tmp_path, caplog, full_disk):
    """A disk that is full by then, and a folder that is gone: the run is worth more than its state."""
    state = Checkpoint(tmp_path / "run", "abc")
    state.save_training({"epoch": 1})
    with full_disk():
        state.save_start({"labels": np.arange(3)})
        state.save_training({"epoch": 2})
    assert "checkpoint=" in caplog.messages[-1]
    assert "cannot be written any more ([Errno 27] File too large): the run goes on" in caplog.messages[-1]
    assert len(caplog.messages) == 2
    again = Checkpoint(tmp_path / "run", "abc")
    assert again.load_training(torch.device("cpu")) == {"epoch": 1}
    assert again.load_start() is None
    shutil.rmtree(tmp_path / "run")
    again.save_training({"epoch": 3})
    assert len(caplog.messages) == 3


def test_fingerprint_sees_every_part():
    X = sp.random(20, 10, density=0.3, format="csr", random_state=0)
    base = fingerprint(X, np.arange(3), "config")
    assert base == fingerprint(X.copy(), np.arange(3), "config")
    changed = X.copy()
    changed.data[0] += 1
    assert base != fingerprint(changed, np.arange(3), "config")
    assert base != fingerprint(X, np.array([0, 2, 1]), "config")
    assert base != fingerprint(X, np.arange(3), "other")


@pytest.mark.parametrize("name", ["start.npz", "training.pt", "start/notes.txt"])
def test_a_folder_that_does_not_say_of_which_run_is_refused(tmp_path, name):
    """Of another run, whose labels would be taken over, or of somebody else, whose folder would be cleared away."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(ValueError, match=r"checkpoint=.* holds '.*' but no 'run\.json'.*: give another folder"):
        Checkpoint(tmp_path, "abc")
    assert (tmp_path / name).read_text() == "mine"
