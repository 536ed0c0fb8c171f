from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from falcon_sc.benchmarks.images import _supervised, images
from falcon_sc.benchmarks.images._methods import METHODS, Method
from falcon_sc.benchmarks.images._problem import prepare, read
from falcon_sc.benchmarks.images._scores import _inside
from falcon_sc.benchmarks.images._setting import FULL, REDUCED, Setting, network
from falcon_sc.core.runtime.checkpoint import seconds_spent

TINY = Setting(parts=1, backbone="narrow", pretraining_epochs=1, epochs=2)
FINE = ("beaver", "dolphin", "orchid", "rose", "bus", "train", "boy", "man")  # T2 splits the first two and joins others
COARSE = ("aquatic_mammals", "flowers", "vehicles", "people")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """24 training and 6 test images of each of 8 fine classes, each with a color of its own."""
    rng = np.random.default_rng(0)
    fine = rng.permutation(np.repeat(np.arange(8), 30))
    colors = rng.integers(40, 216, (8, 1, 1, 3))
    pixels = np.clip(colors[fine] + rng.normal(scale=20, size=(240, 16, 16, 3)), 0, 255).astype(np.uint8)
    split = np.full(240, "train", dtype="<U5")
    for k in range(8):
        split[np.flatnonzero(fine == k)[-6:]] = "test"
    path = tmp_path_factory.mktemp("data")
    np.savez(
        path / "cifar100_part0.npz", images=pixels, fine=fine, coarse=fine // 2, split=split, fine_names=FINE,
        coarse_names=COARSE,
    )  # fmt: skip
    return path


def test_run(folder, tmp_path, capsys):
    table = images.run(data=folder, out=tmp_path, setting=TINY, device="cpu")
    assert table["method"].unique().tolist() == list(METHODS)
    kinds = table.groupby("kind")["method"].unique()
    assert kinds["oracle"].tolist() == ["K-Means (oracle)"]
    assert kinds["bound"].tolist() == ["supervised (bound)"]
    of_scores = [prefix + name for prefix in ("", "test_", "known_") for name in (*images.SCORES, *images.INSIDE)]
    assert table[of_scores].stack().dropna().between(-100, 100).all()
    rows = table.set_index("method")
    assert rows["accuracy"].isna()[lambda gone: gone].index.tolist() == ["supervised (bound)"]
    assert rows["test_accuracy"].isna()[lambda gone: gone].index.tolist() == ["coarse labels alone"]
    assert rows["known_accuracy"].notna().all()
    alone = rows.loc["coarse labels alone"]
    assert alone["accuracy"] == pytest.approx(50, abs=1)
    assert alone[["ged_iso", "inside_information", "inside_ari"]].tolist() == [8, 0, 0]
    assert rows.loc["K-Means (oracle)", "ged_iso"] == 0
    falcon = rows.loc["falcon_sc"]
    assert falcon["images_per_second"] == pytest.approx(2 * 192 / falcon["seconds"])
    assert {path.name for path in tmp_path.iterdir()} == {
        "images.csv", "images.md", "images_runs.csv", "images_confident.png", "images_embedding.png"
    }  # fmt: skip
    assert len(pd.read_csv(tmp_path / "images_runs.csv")) == len(table)
    text = (tmp_path / "images.md").read_text()
    assert "192 training and 48 test images, backbone narrow, 1 epochs of MoCo-v3 (" in text
    assert " images/s), 2 of discovery" in text
    assert "±" not in text  # one seed has no spread
    assert "falcon_sc, seed 0: ACC / ARI " in capsys.readouterr().out


def test_an_interrupted_run_goes_on_from_its_state(folder, tmp_path, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt

    methods = ["K-Means", "falcon_sc", "supervised (bound)"]
    options = {"data": folder, "out": tmp_path, "methods": methods, "setting": TINY, "device": "cpu"}
    whole = images.run(**options | {"out": None})
    for place in ((images, "_draw"), (_supervised, "train_supervised")):
        with monkeypatch.context() as patch:
            patch.setattr(*place, stop)
            with pytest.raises(KeyboardInterrupt):
                images.run(**options)
    # finished methods are not run again, and the seconds of unfinished ones go on
    state = tmp_path / "state"
    assert {path.name for path in state.iterdir()} == {"falcon_sc-0", "pretraining-0"}
    spent = {name: seconds_spent(state / name) for name in ("falcon_sc-0", "pretraining-0")}
    monkeypatch.setitem(METHODS, "falcon_sc", Method(stop, trains=True))
    again = images.run(**options)
    scores = ["accuracy", "test_accuracy", "known_accuracy"]
    pd.testing.assert_frame_equal(again[scores], whole[scores])
    rows = again.set_index("method")
    assert rows.loc["falcon_sc", "seconds"] > spent["falcon_sc-0"] > 0
    speed = rows.loc["supervised (bound)", "pretraining_images_per_second"]
    assert speed < 192 / spent["pretraining-0"]
    assert not state.exists()


def test_what_is_done_is_not_done_again(folder, tmp_path, monkeypatch):
    """And another setting is another run, beside the first."""
    options = {"data": folder, "out": tmp_path, "methods": ["coarse labels alone"], "device": "cpu"}
    images.run(**options, setting=TINY)
    with monkeypatch.context() as patch:
        patch.setattr(images, "_draw", lambda *_: pytest.fail("run again"))
        patch.setitem(METHODS, "coarse labels alone", Method(lambda _: pytest.fail("run again")))
        assert len(images.run(**options, setting=TINY)) == 1
    other = images.run(**options, setting=replace(TINY, epochs=3))
    assert other["epochs"].tolist() == [3]
    assert pd.read_csv(tmp_path / "images_runs.csv")["epochs"].tolist() == [2, 3]


def test_a_method_that_diverges_ends_no_table(folder, tmp_path, monkeypatch):
    def diverge(problem):
        message = "training diverged in epoch 1"
        raise FloatingPointError(message)

    monkeypatch.setitem(METHODS, "K-Means", Method(diverge))
    methods = ["K-Means", "coarse labels alone"]
    table = images.run(data=folder, out=tmp_path, methods=methods, setting=TINY, device="cpu")
    assert table["failed"].dropna().tolist() == ["training diverged in epoch 1"]
    assert "| K-Means             | -  " in (tmp_path / "images.md").read_text()


def test_the_bound_goes_on_bit_for_bit(folder, tmp_path, interrupted):
    problem = prepare(*read(folder, TINY), TINY, 0, device=torch.device("cpu"), state=tmp_path)
    whole, _ = _supervised.train_supervised(replace(problem, state=None))
    with interrupted():
        _supervised.train_supervised(problem)
    resumed, seconds_before = _supervised.train_supervised(problem)
    np.testing.assert_array_equal(resumed, whole)
    assert seconds_before > 0


def test_four_parts_and_several_seeds(folder, tmp_path, capsys):
    """What the full setting reads and repeats, at a size that a test can run."""
    for i in range(4):
        shutil.copy(folder / "cifar100_part0.npz", tmp_path / f"cifar100_part{i}.npz")
    setting = replace(TINY, parts=4)
    table = images.run(data=tmp_path, out=tmp_path, setting=setting, seeds=2, methods=["K-Means"], device="cpu")
    assert table["n_train"].unique().tolist() == [4 * 192]
    assert table["seed"].unique().tolist() == [0, 1]
    text = (tmp_path / "images.md").read_text()
    assert "2 seed(s), on cpu: 768 training and 192 test images" in text
    scores = table["accuracy"]
    assert f"{scores.mean():.1f} ± {scores.std():.1f} / " in text


def test_only_the_bound_learns_from_fine_labels(folder):
    """Other fine labels with the same classes: the same features and the same labels are found."""
    train, test = read(folder, TINY)
    problem = prepare(train, test, TINY, 0, device=torch.device("cpu"), state=None)
    mixed = 2 * train.coarse + np.random.default_rng(0).integers(0, 2, len(train))
    other = replace(problem, train=replace(train, fine=mixed))
    for name in ("K-Means", "start alone", "falcon_sc"):
        np.testing.assert_array_equal(METHODS[name].find(problem).train, METHODS[name].find(other).train)
    assert (METHODS["supervised (bound)"].find(problem).test != METHODS["supervised (bound)"].find(other).test).any()


def test_what_a_seed_draws_is_drawn_again():
    one, same, other = (network("narrow", np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(next(one.parameters()), next(other.parameters()))
    assert one(torch.zeros(2, 3, 32, 32)).shape == (2, one.n_features_out)


def test_scores_inside_know_nothing_of_the_coarse_classes():
    """Two coarse classes of different sizes, one found exactly and one not at all: one half of what can be had."""
    fine = np.repeat([0, 1, 2, 3], [40, 40, 10, 10])
    coarse = fine // 2
    found = np.where(coarse == 0, fine, 2)
    assert _inside(fine, fine, coarse) == {"inside_information": 100, "inside_ari": 100}
    assert _inside(coarse, fine, coarse) == {"inside_information": 0, "inside_ari": 0}
    assert _inside(found, fine, coarse) == pytest.approx({"inside_information": 50, "inside_ari": 50})


@pytest.mark.image  # ResNet-18
def test_settings():
    assert REDUCED.parts == 1
    assert FULL.parts == 4
    assert network(FULL.backbone, np.random.default_rng(0)).n_features_out == 512


def test_refusals(folder):
    with pytest.raises(ValueError, match=r"data is not given: name the folder with cifar100_part0.npz"):
        images.run()
    with pytest.raises(ValueError, match=r"\['Kmeans'\] are not among \['coarse labels alone', 'K-Means'"):
        images.run(data=folder, methods=["Kmeans"])
    with pytest.raises(FileNotFoundError, match=r"has no file 'cifar100_part1.npz': this setting reads 4 of them"):
        images.run(data=folder, setting=FULL)
