from __future__ import annotations

from typing import Any

import pandas as pd

from falcon_sc.benchmarks.cells import splits

TINY: dict[str, Any] = {"n_obs": 200, "n_vars": 100, "n_coarse": 2, "n_fine": 5, "gini": 0.3, "difficulty": 0.3}


def test_run(tmp_path, capsys):
    table = splits.run(out=tmp_path, seeds=1, simulations={"easy": TINY})
    assert table.columns.tolist() == [
        "data", "seed", "n_fixed", "false_splits", "missed_splits", "accuracy", "macro_accuracy", "ari",
    ]  # fmt: skip
    assert table["n_fixed"].tolist() == [0, 1, 2]
    assert (table["false_splits"] == table["missed_splits"]).all()  # the total is given
    told = table.set_index("n_fixed")
    assert told.loc[2, "false_splits"] == 0  # all numbers, in the end
    assert told.loc[1, "false_splits"] == 0  # of two classes, one decides the other
    assert table["accuracy"].between(0, 100).all()
    assert {path.name for path in tmp_path.iterdir()} == {"splits.csv", "splits_means.csv", "splits_means.md"}
    assert len(pd.read_csv(tmp_path / "splits.csv")) == 3
    assert "'n_fixed': 2" in capsys.readouterr().out
