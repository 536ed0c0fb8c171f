from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from falcon_sc.benchmarks.cells import training

EASY: dict[str, Any] = {"n_obs": 500, "n_vars": 120, "n_coarse": 2, "n_fine": 5, "gini": 0.2, "difficulty": 0.2}
METHODS = [
    "start, cells seen", "network, cells seen", "network, held out", "labels alone, cells seen",
    "labels alone, held out", "1 nearest, held out", "15 nearest, held out",
]  # fmt: skip


def test_run(tmp_path, capsys):
    table = training.run(out=tmp_path, seeds=1, simulations={"easy": EASY})
    assert table["method"].tolist() == METHODS
    found = table.set_index("method")
    assert found.loc["network, held out", "accuracy"] > 80
    assert found.loc[["network, cells seen", "network, held out"], "confidence"].between(20, 100).all()
    assert found.loc[["start, cells seen", "1 nearest, held out"], "confidence"].isna().all()
    assert len(pd.read_csv(tmp_path / "training.csv")) == 7
    assert "| easy | network, held out " in (tmp_path / "training_means.md").read_text()
    assert "easy, seed 0, network, held out: " in capsys.readouterr().out


def test_a_start_made_wrong():
    """Learned by heart, a wrong label stays wrong, and makes new ones wrong; the neighbors undo some of that."""
    found = training.run(seeds=1, spoil="cells:20", simulations={"easy": EASY}).set_index("method")["accuracy"]
    wrong = found["start made wrong, cells seen"]
    assert wrong < found["start, cells seen"] - 10
    assert found["labels alone, cells seen"] < wrong + 5
    assert found["network, held out"] > found["labels alone, held out"] + 5
    with pytest.raises(ValueError, match="spoil='cells' must be"):
        training.run(seeds=1, spoil="cells", simulations={})


def test_a_fifth_of_each_coarse_class_is_held_out():
    codes = np.repeat([0, 1, 2], [100, 50, 3])
    held_out = training._split(codes, 0)
    np.testing.assert_array_equal(np.bincount(codes[held_out], minlength=3), [20, 10, 0])
    assert (held_out != training._split(codes, 1)).any()


def test_nearest_stays_inside_the_coarse_class():
    scores = np.array([[0.0], [0.1], [0.2], [10.0], [0.05], [0.19]], dtype=np.float32)
    codes, seen = np.array([0, 0, 1, 1, 0, 1]), np.array([True, True, True, True, False, False])
    labels = np.array([0, 1, 2, 3])
    np.testing.assert_array_equal(training._nearest(scores, codes, seen, labels, 1), [0, 2])
    np.testing.assert_array_equal(training._nearest(scores, codes, seen, np.array([4, 4, 2, 2]), 15), [4, 2])


def test_confidence_is_judged_half_by_half():
    labels, confidence = np.array([0, 1, 0, 0]), np.array([0.9, 0.9, 0.6, 0.55], dtype=np.float32)
    found = training._confidence(labels, confidence, np.array([1, 0, 1, 0]))  # the classes match the other way round
    assert found["confident_half"] == 100
    assert found["other_half"] == 50
    assert found["confidence"] == pytest.approx(73.75)
