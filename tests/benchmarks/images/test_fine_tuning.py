from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from falcon_sc._cli.bench import words
from falcon_sc.benchmarks.images import _fine_tuned, fine_tuning
from falcon_sc.benchmarks.images._fine_tuned import (
    FINE_TUNED,
    from_our_start,
    published,
    start_only,
    text,
    with_its_labels,
)
from falcon_sc.benchmarks.images._methods import Method
from falcon_sc.benchmarks.images.fine_tuning import COARSE, FineTuning
from falcon_sc.vision.datasets import T2

FINE = ("bus", "train", "tank", "tractor", "bicycle", "streetcar", "boy", "man")  # T2 groups the vehicles otherwise
NAMES = ("vehicles_1", "vehicles_1", "vehicles_2", "vehicles_2", "vehicles_1", "vehicles_2", "people", "people")
TINY = FineTuning(backbone="narrow", size=16, epochs=2, coarse=("vehicles_1", "vehicles_2"))


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
    coarse_names = tuple(dict.fromkeys(NAMES))
    coarse = np.array([coarse_names.index(name) for name in NAMES])[fine]
    path = tmp_path_factory.mktemp("data")
    np.savez(
        path / "cifar100_part0.npz", images=pixels, fine=fine, coarse=coarse, split=split, fine_names=FINE,
        coarse_names=coarse_names,
    )  # fmt: skip
    return path


def _problem(folder):
    train, test = fine_tuning._read(folder, TINY)
    return fine_tuning._prepare(train, test, TINY, 0, device=torch.device("cpu"), state=None)


def test_run(folder, tmp_path):
    table = fine_tuning.run(data=folder, out=tmp_path, setting=TINY, device="cpu")
    assert table["method"].unique().tolist() == list(FINE_TUNED)
    assert table[["accuracy", "ari", "inside_information", "inside_ari"]].stack().dropna().between(-100, 100).all()
    rows = table.set_index("method")
    trained = rows.loc["our start (features move)"]
    assert trained["iterations"] == 2 * (144 // 64)  # the people are left out
    assert trained["n_used"] <= 6
    assert 0 <= trained["features_test_accuracy"] <= 100
    assert np.isnan(rows.loc["start alone", "features_accuracy"])
    assert {path.name for path in tmp_path.iterdir()} == {
        "fine_tuning.csv", "fine_tuning.md", "fine_tuning_runs.csv"
    }  # fmt: skip
    assert len(pd.read_csv(tmp_path / "fine_tuning_runs.csv")) == len(table)
    text = (tmp_path / "fine_tuning.md").read_text()
    assert "144 training and 36 test images in 2 coarse and 6 fine classes, views of 16 pixels, backbone narrow" in text
    assert "±" not in text  # one seed has no spread


def test_other_epochs(folder, tmp_path):
    name = "start's labels only (features move)"
    table = fine_tuning.run(data=folder, out=tmp_path, setting=TINY, methods=[name], epochs=3, device="cpu")
    assert table["iterations"].tolist() == [3 * (144 // 64)]
    assert "3 epochs in batches of 64" in (tmp_path / "fine_tuning.md").read_text()
    with pytest.raises(ValueError, match="epochs"):
        fine_tuning.run(data=folder, setting=TINY, epochs=0)


def test_only_frozen_features_stay(folder):
    problem = _problem(folder)
    before = {name: tensor.clone() for name, tensor in problem.backbone.state_dict().items()}
    moved, kept = (FINE_TUNED[f"our start (features {how})"].find(problem).model for how in ("move", "frozen"))
    for name, tensor in problem.backbone.state_dict().items():  # the network that the next method begins with
        assert torch.equal(tensor, before[name]), name
    assert all(parameter.requires_grad for parameter in problem.backbone.parameters())
    np.testing.assert_allclose(kept.embedding_, problem.features, rtol=1e-5, atol=1e-6)
    assert np.abs(moved.embedding_ - problem.features).max() > 0.01


def test_an_interrupted_run_goes_on_from_its_state(folder, tmp_path, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt

    first, second = "start alone", "our start (features move)"
    options = {"data": folder, "out": tmp_path, "methods": [first, second], "setting": TINY, "device": "cpu"}
    whole = fine_tuning.run(**options | {"out": None})
    with monkeypatch.context() as patch:
        patch.setitem(FINE_TUNED, second, Method(stop, trains=True))
        with pytest.raises(KeyboardInterrupt):
            fine_tuning.run(**options)
    monkeypatch.setitem(FINE_TUNED, first, Method(stop))  # finished: not run again
    again = fine_tuning.run(**options)
    assert again["accuracy"].tolist() == whole["accuracy"].tolist()
    assert not (tmp_path / "state").exists()


def test_all_rows_have_the_same_steps(folder):
    problem = _problem(folder)
    configs = [from_our_start(problem), with_its_labels(problem), start_only(problem), text(), published()]
    steps = ("batch_size", "lr", "optimizer", "momentum", "schedule", "milestones", "n_neighbors_per_step")
    assert len({tuple(getattr(config, name) for name in steps) for config in configs}) == 1
    assert configs[0].lr == pytest.approx(0.1 * 64 / 256)
    assert [config.start for config in configs] == ["consensus", "consensus", "consensus", "random", "random"]
    assert [config.lambda_start for config in configs[:3]] == [0, 0.1, 1]


def test_only_the_bound_learns_from_fine_labels(folder):
    problem = _problem(folder)
    mixed = np.random.default_rng(0).permutation(problem.train.fine)
    mixed = np.where(problem.train.relation.argmax(axis=1)[mixed] == problem.train.coarse, mixed, problem.train.fine)
    other = replace(problem, train=replace(problem.train, fine=mixed))
    for name in ("start alone", "random start (features move)"):
        np.testing.assert_array_equal(FINE_TUNED[name].find(problem).train, FINE_TUNED[name].find(other).train)
    bounds = [_fine_tuned._upper_bound(given).test for given in (problem, other)]
    assert (bounds[0] != bounds[1]).any()


def test_both_taxonomies_group_the_same_fine_classes(folder):
    """So T2 says as much of the images as T1: as many coarse classes, each with several fine ones."""
    assert len(COARSE) == 4
    vehicles = {name for group in ("personal_vehicles", "transit_vehicles") for name in T2[group]}
    assert set(FINE[:6]) <= vehicles
    model = FINE_TUNED["our start (two taxonomies)"].find(_problem(folder)).model
    assert {name: relation.shape for name, relation in model.relations_.items()} == {"T1": (6, 2), "T2": (6, 2)}


def test_every_row_can_be_named_on_the_command_line():
    assert words(",".join(FINE_TUNED)) == tuple(FINE_TUNED)


def test_refusals(folder, tmp_path):
    with pytest.raises(ValueError, match=r"data is not given: name the folder with cifar100_part0\.npz"):
        fine_tuning.run()
    with pytest.raises(ValueError, match=r"\['Kmeans'\] are not among \['K-Means', "):
        fine_tuning.run(data=folder, methods=["Kmeans"])
    with pytest.raises(FileNotFoundError, match=r"has no file 'cifar100_part0.npz'"):
        fine_tuning.run(data=tmp_path)
