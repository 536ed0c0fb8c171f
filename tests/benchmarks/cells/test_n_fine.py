from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from falcon_sc.benchmarks.cells import n_fine

TINY: dict[str, Any] = {
    "n_obs": 160, "n_vars": 80, "n_coarse": 2, "n_fine": 4, "gini": 0.1, "difficulty": 0.05, "n_donors": 1,
    "n_programs": 0,
}  # fmt: skip


def test_run(tmp_path, capsys):
    table = n_fine.run(out=tmp_path, seeds=2, simulations={"easy": TINY})
    assert table.columns.tolist() == [
        "data", "n_coarse", "truth", "stable", "estimate", "classes_in_range", "seconds",
    ]  # fmt: skip
    assert table["truth"].tolist() == [4, 4]
    assert (table["n_coarse"] == 2).all()
    assert (table["stable"] <= table["estimate"]).all()
    assert (table["estimate"] == 4).all()
    assert (table["classes_in_range"] == 2).all()
    assert {path.name for path in tmp_path.iterdir()} == {"n_fine.csv", "n_fine_summary.csv", "n_fine_summary.md"}
    assert len(pd.read_csv(tmp_path / "n_fine.csv")) == 2
    assert "easy, seed 1: " in capsys.readouterr().out


def test_summary():
    rows = [
        {"data": "a", "n_coarse": 2, "truth": 4, "stable": 2, "estimate": estimate,
         "classes_in_range": 1, "seconds": seconds}
        for estimate, seconds in [(5, 9.0), (6, 1.0), (7, 1.0)]
    ]  # fmt: skip
    (summary,) = n_fine.summarize(pd.DataFrame(rows)).to_dict("records")
    assert (summary["estimate"], summary["ratio"], summary["seconds"]) == (6.0, 1.5, 1.0)
    assert np.isfinite(summary["classes_in_range"])
