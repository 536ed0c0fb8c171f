from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from falcon_sc.benchmarks.paper._layout import all_data_sets, beside_the_paper
from falcon_sc.benchmarks.paper._runs import Result, complete, scores

if TYPE_CHECKING:
    from pathlib import Path

TRUTH = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.uint8)
FINE = np.array([0, 0, 1, 2])
SETTING = {"dataset": "cifar100", "size": 32}


def measure(method: str, seed: int) -> dict[str, float]:
    """The truth from seed 0, one class too few from another; only "B" learns relations."""
    labels = FINE if seed == 0 else np.array([0, 0, 0, 2])
    return scores(Result(labels, TRUTH if method == "B" else None), FINE, TRUTH) | {"seconds": 1.0}


def test_scores_of_the_truth_and_of_too_few_classes() -> None:
    whole, less = measure("B", 0), measure("A", 1)
    assert (whole["accuracy"], whole["ari"], whole["macro_accuracy"]) == (100, 100, 100)
    assert (whole["ged"], whole["ged_matched"], whole["classes_used"]) == (0, 0, 3)
    assert (less["accuracy"], less["classes_used"]) == (75, 2)
    assert less["macro_accuracy"] == pytest.approx(200 / 3)
    assert np.isnan(less["ged"])


def test_an_interrupted_table_goes_on(tmp_path: Path, capsys) -> None:
    def interrupted(method: str, seed: int) -> dict[str, float]:
        if (method, seed) == ("A", 1):
            raise KeyboardInterrupt
        return measure(method, seed)

    started = []
    path = tmp_path / "new" / "runs.csv"
    with pytest.raises(KeyboardInterrupt):
        complete(path, SETTING, ["A", "B"], 2, interrupted)
    assert len(pd.read_csv(path)) == 2
    table = complete(path, SETTING, ["A", "B"], 2, lambda *run: started.append(run) or measure(*run))
    assert started == [("A", 1), ("B", 1)]
    assert table[["method", "seed", "accuracy"]].to_numpy().tolist() == [
        ["A", 0, 100], ["B", 0, 100], ["A", 1, 75], ["B", 1, 75]
    ]  # fmt: skip
    assert "B, seed 1 ...\nB, seed 1: ACC / ARI 75.0" in capsys.readouterr().out
    complete(path, SETTING | {"size": 64}, ["A"], 1, lambda *run: started.append(run) or measure(*run))
    assert started[2:] == [("A", 0)]
    assert len(pd.read_csv(path)) == 5


def test_a_run_that_diverges_is_shown_and_does_not_end_the_table(tmp_path: Path, capsys) -> None:
    def diverging(method: str, seed: int) -> dict[str, float]:
        if method == "A" and seed < 2:
            message = "training diverged in epoch 3"
            raise FloatingPointError(message)
        return measure(method, seed)

    table = complete(tmp_path / "runs.csv", SETTING, ["A", "B"], 3, diverging)
    assert "training diverged in epoch 3" in capsys.readouterr().out
    lines = beside_the_paper(table, "cifar100", {"A": "SCAN", "B": "FALCON"})
    assert lines["seeds"].tolist() == ["3, of which 2 diverged", "3"]
    assert lines["ACC"].tolist() == ["75.0", "83.3 ± 14.4"]
    assert lines["paper, ACC"].tolist() == ["47.1 (T2), 47.1 ± 0.1 (H1)", "59.6 (T2), 59.6 ± 0.7 (H1)"]
    again = complete(tmp_path / "runs.csv", SETTING, ["A", "B"], 3, lambda *_: pytest.fail("run again"))
    assert again["failed"].notna().tolist() == [True, False, True, False, False, False]
    together = all_data_sets(table, {"A": "SCAN", "B": "FALCON"})
    assert together["cifar100 ACC"].tolist() == ["75.0, 2 diverged (47.1)", "83.3 ± 14.4 (59.6)"]
    assert lines["classes"].tolist() == ["2.0", "2.3 ± 0.6"]
    # all of them
    alone = complete(None, SETTING, ["A"], 2, diverging)
    assert beside_the_paper(alone, "cifar100", {"A": "SCAN"})["ACC"].tolist() == ["-"]


def test_a_system_whose_labels_say_nothing_has_not_trained() -> None:
    def measured(method: str, seed: int) -> dict[str, float]:
        labels = FINE if (method, seed) == ("B", 1) else np.zeros(4, dtype=int)
        return scores(Result(labels), FINE, TRUTH) | {"seconds": 1.0, "cpu_seconds": 2.0}

    table = complete(None, SETTING, ["A", "B"], 2, measured)
    lines = beside_the_paper(table, "cifar100", {"A": "SCAN", "B": "FALCON"})
    assert lines["seeds"].tolist() == ["2, of which 2 did not train", "2, of which 1 did not train"]
    assert lines["CPU s"].tolist() == ["2.0 ± 0.0"] * 2
    together = all_data_sets(table, {"A": "SCAN", "B": "FALCON"})
    assert together["cifar100 ACC"].str.contains("did not train").all()
