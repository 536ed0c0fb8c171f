from __future__ import annotations

import sys
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from falcon_sc import FalconConfig
from falcon_sc.search import tune
from falcon_sc.search._objectives import predictable_information
from falcon_sc.search._ranges import RANGES
from falcon_sc.search._split import Split, divided

needs_optuna = pytest.mark.skipif(find_spec("optuna") is None, reason="the extra `search` is not installed")
SMALL = replace(FalconConfig.cifar100(), batch_size=64, n_hidden=16, n_layers=1)


def planted(n_each: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Six blobs in 5 dimensions, three in each of two coarse classes."""
    rng = np.random.default_rng(0)
    fine = rng.permutation(np.repeat(np.arange(6), n_each))
    centers = rng.normal(size=(6, 5)) * 4
    return (centers[fine] + rng.normal(size=(len(fine), 5))).astype(np.float32), np.array(["a", "b"])[fine // 3], fine


def thirds(n: int) -> np.ndarray:
    return np.array(["train", "train", "validation", "test"])[np.arange(n) % 4]


def test_the_ranges_are_those_of_table_g1():
    sizes = {name: len(values) for name, values in RANGES.items()}
    assert sizes == {
        "lambda_1": 4,
        "lambda_2": 4,
        "lambda_3": 4,
        "relation_interval": 5,
        "lambda_M": 8,
        "temperature": 11,
    }
    selected = FalconConfig.cifar100().to_dict()
    assert all(selected[name] in values for name, values in RANGES.items())


@needs_optuna
@pytest.mark.parametrize("with_labels", [True, False])
def test_the_best_trial_is_the_configuration(with_labels):
    X, coarse, fine = planted()
    tuned = tune(X, coarse, 6, fine=fine if with_labels else None, config=SMALL, n_trials=4, max_epochs=3, device="cpu")
    assert tuned.used_fine_labels is with_labels
    assert tuned.trials["state"].tolist() == ["COMPLETE"] * 4
    assert tuned.value == tuned.trials["value"].max()
    best = tuned.trials.loc[tuned.trials["value"].idxmax()]
    chosen = {name: best[name] for name in RANGES}
    assert all(chosen[name] in values for name, values in RANGES.items())
    assert tuned.config == replace(SMALL, **chosen)  # with the epochs that were given
    again = tune(X, coarse, 6, fine=fine if with_labels else None, config=SMALL, n_trials=4, max_epochs=3, device="cpu")
    assert again.trials["value"].tolist() == tuned.trials["value"].tolist()


@needs_optuna
def test_rows_for_testing_are_never_read():
    """Their values and labels are missing, and the trials are those without these rows."""
    X, coarse, fine = planted()
    split = thirds(len(X))
    test = split == "test"
    settings = {"config": SMALL, "n_trials": 2, "max_epochs": 2, "device": "cpu"}
    without = tune(X[~test], coarse[~test], 6, fine=fine[~test], split=split[~test], **settings)
    X = np.where(test[:, None], np.nan, X)
    coarse = np.where(test, None, coarse)
    fine = np.where(split == "validation", fine, None)  # nor are fine labels of the training part
    tuned = tune(X, coarse, 6, fine=fine, split=split, **settings)
    assert tuned.trials["value"].tolist() == without.trials["value"].tolist()


def test_a_drawn_part_is_a_tenth_of_each_coarse_class(rng):
    X, coarse, fine = planted()
    coarse = np.where(np.arange(len(X)) < 4, "few", coarse)
    parts = divided(X, coarse, fine, None, rng)
    assert dict(zip(*np.unique(parts.coarse_validation, return_counts=True), strict=True)) == {"a": 12, "b": 12}
    assert len(parts.X) + len(parts.X_validation) == len(X)
    rows = {tuple(row) for row in parts.X} & {tuple(row) for row in parts.X_validation}
    assert not rows


def test_without_labels_what_the_features_foretell_is_worth_most(rng):
    X, coarse, fine = planted()
    half = np.arange(len(X)) < len(X) // 2
    parts = Split(X[half], coarse[half], X[~half], coarse[~half], None)

    def value(labels):
        return predictable_information(parts, labels[half], labels[~half])

    assert value(fine) == pytest.approx(np.log(3), abs=0.1)  # three to a coarse class
    assert value(rng.permutation(fine)) < 0.2
    assert value(fine // 3) == 0  # the coarse classes, undivided
    assert value(np.zeros_like(fine)) == 0


@needs_optuna
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": ["train"] * 3}, "split has 3 entries, X has 240 samples"),
        ({"split": np.repeat("train", 240)}, "split has 240 train and 0 validation samples"),
        ({"split": np.repeat(["train", "dev"], 120)}, "split holds 'dev': its words are"),
        ({"fine": np.repeat([1, None], 120), "split": thirds(240)}, "fine is missing for 30 validation samples"),
        (
            {"coarse": np.where(thirds(240) == "train", "a", "b"), "split": thirds(240)},
            "no train sample has the coarse",
        ),
        ({"n_trials": 0}, "n_trials must be at least 1"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    X, coarse, _ = planted()
    with pytest.raises(ValueError, match=message):
        tune(**{"X": X, "coarse": coarse, "n_fine": 6} | change)


@needs_optuna
def test_trials_that_diverge_are_counted():
    X, coarse, _ = planted()
    diverging = replace(SMALL, lr=1e30, batch_norm=False)
    with pytest.raises(ValueError, match="all 2 trials diverged: lower lr"):
        tune(X, coarse, 6, config=diverging, n_trials=2, max_epochs=3, device="cpu")


def test_without_optuna_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"pip install 'falcon-sc\[search\]'"):
        tune(np.zeros((4, 2)), ["a"] * 4, 2)
