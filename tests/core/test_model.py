from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from anndata import AnnData
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

from falcon_sc.core.config import FalconConfig
from falcon_sc.core.model import Falcon
from falcon_sc.core.start.input import StartInput

from .planted import planted

QUICK = FalconConfig(min_iterations=120, warmup_iterations=60, n_neighbors=10, batch_size=64)


@pytest.fixture(scope="module")
def data():
    return planted()


@pytest.fixture(scope="module")
def fitted(data):
    return Falcon(6, QUICK, device="cpu").fit(data.X, data.coarse)


def test_planted_classes_are_recovered(data, fitted):
    assert adjusted_rand_score(data.fine, fitted.labels_) > 0.9
    assert len(np.unique(fitted.labels_)) == 6
    assert np.isfinite(fitted.history_["loss"]).all()


def test_fine_classes_lie_in_their_coarse_class(data, fitted):
    assert fitted.relation_.dtype == np.uint8
    parents = fitted.coarse_names_[fitted.relation_.argmax(axis=1)]
    assert (parents[fitted.labels_] == data.coarse).all()
    assert fitted.relation_.sum(axis=0).tolist() == [3, 1, 2]


def test_codes_go_by_coarse_class_then_by_size(fitted):
    parents = fitted.relation_.argmax(axis=1)
    sizes = np.bincount(fitted.labels_, minlength=6)
    for before, after in pairwise(range(6)):
        assert (parents[before], -sizes[before]) <= (parents[after], -sizes[after])


def test_predictions_of_the_training_samples_are_its_labels(data, fitted):
    np.testing.assert_array_equal(fitted.predict(data.X, data.coarse), fitted.labels_)
    np.testing.assert_allclose(fitted.predict_proba(data.X, data.coarse), fitted.proba_, atol=1e-6)
    np.testing.assert_allclose(fitted.transform(data.X), fitted.embedding_, atol=1e-5)
    np.testing.assert_allclose(fitted.proba_.sum(axis=1), 1, atol=1e-5)


def test_confidence_is_the_agreement_on_the_label(data, tmp_path):
    """More classes than there are: training moves samples between pieces of one class."""
    config = dataclasses.replace(QUICK, lambda_start=0.0, leaves_per_class=1)
    model = Falcon(14, config, device="cpu").fit(data.X, data.coarse, checkpoint=tmp_path)
    with np.load(tmp_path / "start.npz") as kept:
        start, agreement = kept["labels"], kept["agreement"]
    renamed = {(old, new) for old, new in zip(start, model.start_labels_, strict=True)}
    assert len(renamed) == 14  # by size, at the end
    stayed = model.labels_ == model.start_labels_
    assert 0 < (~stayed).sum() < len(start) / 2
    np.testing.assert_array_equal(model.confidence_[stayed], agreement[stayed])
    np.testing.assert_array_equal(model.confidence_[~stayed], 1 - agreement[~stayed])


def test_without_a_start_the_confidence_is_the_probability(data):
    config = dataclasses.replace(QUICK, start="random")
    model = Falcon(6, config, device="cpu").fit(data.X, data.coarse)
    assert model.start_labels_ is None
    np.testing.assert_array_equal(model.confidence_, model.proba_.max(axis=1))


def test_a_known_coarse_label_restricts_the_prediction(data, fitted):
    wrong = np.roll(fitted.coarse_names_, 1)[np.searchsorted(fitted.coarse_names_, data.coarse)]
    proba = fitted.predict_proba(data.X, wrong)
    parents = fitted.coarse_names_[fitted.relation_.argmax(axis=1)]
    assert (parents[proba.argmax(axis=1)] == wrong).all()
    free = fitted.predict(data.X)
    np.testing.assert_array_equal(free, fitted.predict(data.X, np.full(len(data.X), None)))
    assert (parents[free] == data.coarse).mean() > 0.95


def test_new_samples_get_their_class(data, fitted):
    fresh = np.random.default_rng(9).normal(0, 0.05, data.X.shape).astype(np.float32) + data.X
    table = np.zeros((6, 6))
    np.add.at(table, (data.fine, fitted.predict(fresh)), 1)
    rows, columns = linear_sum_assignment(-table)
    assert table[rows, columns].sum() / table.sum() > 0.9


@pytest.mark.parametrize("start", ["consensus", "random"])
def test_numbers_per_coarse_class_are_kept(data, start):
    counts = {"class a": 2, "class b": 1, "class c": 4}
    model = Falcon(counts, dataclasses.replace(QUICK, start=start), device="cpu").fit(data.X, data.coarse)
    assert dict(zip(model.coarse_names_.tolist(), model.relation_.sum(axis=0).tolist(), strict=True)) == counts


def test_as_many_fine_as_coarse_classes_gives_the_coarse_classes(data):
    model = Falcon(3, QUICK, device="cpu").fit(data.X, data.coarse)
    assert (model.coarse_names_[model.labels_] == data.coarse).all()


@pytest.mark.parametrize(
    ("n_pcs", "forms"),
    [(None, [sp.csr_matrix, sp.csc_array, torch.from_numpy, np.float64]), (4, [sp.csr_matrix])],
)
def test_all_forms_of_a_matrix_agree(data, n_pcs, forms):
    config = dataclasses.replace(QUICK, n_pcs=n_pcs)
    X = np.maximum(data.X, 0)
    dense = Falcon(6, config, device="cpu").fit(X, data.coarse)
    for form in forms:
        other = Falcon(6, config, device="cpu").fit(form(X), data.coarse)
        assert adjusted_rand_score(dense.labels_, other.labels_) > 0.99


def test_columns_of_a_table_go_by_their_names(data, tmp_path):
    """As for scikit-learn; a column was read as another one without a word."""
    table = pd.DataFrame(data.X, columns=[f"x{i}" for i in range(data.X.shape[1])])
    model = Falcon(6, FalconConfig(start="random", max_epochs=1), device="cpu").fit(table, data.coarse)
    assert model.feature_names_in_.tolist() == table.columns.tolist()
    model.save(tmp_path)
    for own in (model, Falcon.load(tmp_path, device="cpu")):
        for same in (table[table.columns[::-1]], data.X):
            np.testing.assert_array_equal(own.predict_proba(same), own.predict_proba(data.X))
    with pytest.raises(ValueError, match="X has no columns 'x0', by whose names the model goes"):
        model.predict(table.rename(columns={"x0": "y"}))


def test_same_seed_same_labels(data, device, fitted):
    again = Falcon(6, QUICK, device=device).fit(data.X, data.coarse)
    assert again.device_ == str(device)
    if device.type == "cpu":
        np.testing.assert_array_equal(again.proba_, fitted.proba_)
    assert adjusted_rand_score(again.labels_, fitted.labels_) > 0.95


def test_paper_setting_runs_and_is_unrestricted(data):
    config = dataclasses.replace(FalconConfig.paper(), batch_size=64, n_neighbors=10)
    model = Falcon(6, config, device="cpu").fit(data.X, data.coarse)
    assert (model.proba_ > 0).all(), "no class is ruled out by the coarse label"


def test_several_data_sets_share_their_fine_classes():
    """Section 3.4: fine class 1 is under b in one data set and under c in the other; both keep it."""
    data = planted(children=(2, 2, 2), seed=2)
    dataset = np.random.default_rng(0).choice(["one", "two"], len(data.fine))
    second = np.array(["x", "x", "y", "y", "y", "z"])[data.fine]
    coarse = np.where(dataset == "one", data.coarse, second)
    model = Falcon(6, QUICK, device="cpu").fit(data.X, coarse, dataset)
    assert set(model.relations_) == {"one", "two"}
    assert model.relations_["two"].shape == (6, 3)
    assert adjusted_rand_score(data.fine, model.labels_) > 0.8
    np.testing.assert_array_equal(model.predict(data.X, coarse, dataset), model.labels_)


def test_save_and_load_give_the_same_predictions(data, fitted, tmp_path):
    fitted.save(tmp_path / "model")
    loaded = Falcon.load(tmp_path / "model", device="cpu")
    np.testing.assert_array_equal(loaded.predict_proba(data.X, data.coarse), fitted.proba_)
    np.testing.assert_array_equal(loaded.relation_, fitted.relation_)
    np.testing.assert_array_equal(loaded.coarse_names_, fitted.coarse_names_)
    np.testing.assert_array_equal(loaded.history_["loss"], fitted.history_["loss"])
    assert loaded.config == fitted.config


def test_models_of_other_versions_and_missing_ones_are_refused(fitted, tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no saved Falcon"):
        Falcon.load(tmp_path)
    fitted.save(tmp_path)
    description = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps({**description, "format": 99}))
    with pytest.raises(ValueError, match="in format 99; this version reads formats 2, 3, 4"):
        Falcon.load(tmp_path)


class _Harmful:
    def __reduce__(self):
        return (os.system, ("true",))


def test_loading_runs_no_code(fitted, tmp_path):
    fitted.save(tmp_path)
    torch.save({"relation": _Harmful()}, tmp_path / "weights.pt")
    with pytest.raises(ValueError, match=r"'weights\.pt' in it cannot be read \(UnpicklingError"):
        Falcon.load(tmp_path)


@pytest.mark.parametrize(
    ("n_fine", "error", "message"),
    [
        (2, ValueError, "n_fine=2 is smaller than the number of coarse classes, 3"),
        (10_000, ValueError, "n_fine=10000 is larger than the number of coarse labels"),
        (5.5, TypeError, r"n_fine must be an int, or a mapping .* found 5\.5"),
        ({"class a": 2}, ValueError, "no number for the coarse classes 'class b', 'class c'"),
        ({"class a": 2, "class b": 0, "class c": 1}, ValueError, r"n_fine\['class b'\]=0 must be from 1"),
    ],
)
def test_impossible_numbers_of_classes_are_refused(data, n_fine, error, message):
    with pytest.raises(error, match=message):
        Falcon(n_fine, QUICK).fit(data.X, data.coarse)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"config": "quick"}, TypeError, "config must be a falcon_sc.FalconConfig, found 'quick'"),
        ({"rng": "one"}, TypeError, "rng must be an int, a numpy.random.Generator or None, found 'one'"),
        ({"rng": 2.5}, TypeError, "rng must be an int"),
        ({"rng": -1}, ValueError, "rng must not be negative, found -1"),
    ],
)
def test_wrong_settings_are_refused(data, options, error, message):
    with pytest.raises(error, match=message):
        Falcon(6, **{"config": QUICK} | options).fit(data.X, data.coarse)


def test_a_model_that_is_not_fitted(data):
    for use in ("predict", "predict_proba", "transform"):
        with pytest.raises(ValueError, match="this Falcon is not fitted: call fit"):
            getattr(Falcon(6), use)(data.X)


def test_labels_of_other_samples_are_refused(data, fitted):
    for use in (fitted.predict, fitted.predict_proba):
        with pytest.raises(ValueError, match=f"coarse has 5 labels, X has {len(data.X)} samples"):
            use(data.X, data.coarse[:5])


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"feature_names": ["a", "b"]}, ValueError, "feature_names has 2 names, X has [0-9]+ features"),
        ({"start_input": np.zeros((3, 2))}, TypeError, "start_input must be a StartInput, .* found ndarray"),
        ({"X": "text"}, TypeError, "X must be a matrix of numbers, found str"),
        ({"X": AnnData(np.eye(3))}, TypeError, "X must be a matrix of numbers, found AnnData"),
        ({"X": np.eye(3) * 1j}, TypeError, "X must be a matrix of numbers, found complex ones"),
    ],
    ids=["names", "start", "text", "AnnData", "complex"],
)
def test_what_is_none_of_it_is_refused_in_words(data, change, kind, message):
    with pytest.raises(kind, match=message):
        Falcon(6).fit(**{"X": data.X, "coarse": data.coarse} | change)


def test_views_that_are_none_are_refused(data):
    with pytest.raises(TypeError, match="views must have the methods weak, strong and plain, found 'flip'"):
        Falcon(6, views="flip").fit(data.X, data.coarse)


def test_a_file_is_no_place_for_a_model(fitted, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match=r"path=.* is a file, and a model is saved as a folder"):
        fitted.save(tmp_path / "file")


def test_bad_input_is_refused(data, fitted):
    X = data.X.copy()
    X[3, 2] = np.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        Falcon(6).fit(X, data.coarse)
    X[3, 2] = 1e20
    with pytest.raises(ValueError, match=r"X has values as large as 1e\+20"):
        Falcon(6).fit(X, data.coarse)
    with pytest.raises(ValueError, match="coarse has 5 labels, X has"):
        Falcon(6).fit(data.X, data.coarse[:5])
    missing = data.coarse.astype(object)
    missing[:2] = None
    with pytest.raises(ValueError, match="coarse is missing for 2 samples"):
        Falcon(6).fit(data.X, missing)
    with pytest.raises(ValueError, match="X has 3 features, the model was fitted on 12"):
        fitted.predict(data.X[:, :3])
    with pytest.raises(ValueError, match="not fitted"):
        Falcon(6).predict(data.X)
    with pytest.raises(ValueError, match="device='cuda:99' is not there"):
        Falcon(6, device="cuda:99").fit(data.X, data.coarse)


EPOCHS = 20
QUICK_RUN = {"warmup_iterations": 20, "n_neighbors": 10, "batch_size": 64}
RUN = """
    import os, signal, sys
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    import torch
    from falcon_sc.core.runtime import checkpoint
    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.model import Falcon
    from planted import planted
    torch.set_num_threads(1)
    checkpoint.Checkpoint.__init__.__defaults__ = (0.0,)  # write after every epoch: the whole run takes a second
    save = checkpoint.Checkpoint.save_training

    def save_and_die(storage, state):
        save(storage, state)
        if state["epoch"] == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    checkpoint.Checkpoint.save_training = save_and_die
    data = planted()
    config = FalconConfig(max_epochs={epochs}, **{settings})
    Falcon(6, config, device="cpu").fit(data.X, data.coarse, checkpoint=Path({folder!r}))
"""


@pytest.mark.parametrize(("kind", "batch"), [("embedding", np.arange(len(planted().X)) % 2), ("lognorm", None)])
def test_a_checkpoint_of_a_start_from_other_data_is_refused(tmp_path, kind, batch):
    """Donors, and what the values are taken for, change the start, not the features."""
    data, config = planted(), FalconConfig(max_epochs=1, start_n_repeats=1, **QUICK_RUN)
    Falcon(6, config, device="cpu").fit(data.X, data.coarse, checkpoint=tmp_path)
    other = StartInput(np.abs(data.X), kind, batch)
    with pytest.raises(ValueError, match="other data, with other settings or another seed"):
        Falcon(6, config, device="cpu").fit(data.X, data.coarse, start_input=other, checkpoint=tmp_path)


def test_a_killed_run_goes_on_and_ends_the_same(tmp_path, caplog):
    """A real process is killed in its training; the resumed one ends bit for bit like one that was not."""
    folder = tmp_path / "checkpoint"
    text = RUN.format(tests=str(Path(__file__).parent), epochs=EPOCHS, settings=QUICK_RUN, folder=str(folder))
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(text)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert torch.load(folder / "training.pt", weights_only=True)["epoch"] == 3
    data = planted()
    model = Falcon(6, FalconConfig(max_epochs=EPOCHS, **QUICK_RUN), device="cpu")
    with caplog.at_level("INFO", "falcon_sc"):
        resumed = model.fit(data.X, data.coarse, checkpoint=folder).proba_
    assert f"resuming after epoch 3 of {EPOCHS}" in caplog.text
    np.testing.assert_array_equal(resumed, model.fit(data.X, data.coarse).proba_)
