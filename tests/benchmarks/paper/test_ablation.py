from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from falcon_sc.benchmarks.paper import _ablation_runs, ablation
from falcon_sc.benchmarks.paper._ablation_data import POLICIES, digits
from falcon_sc.benchmarks.paper._ablation_runs import Run, labeled, settings
from falcon_sc.benchmarks.paper._ablation_tables import TABLES, Cell
from falcon_sc.core.config import FalconConfig

if TYPE_CHECKING:
    from pathlib import Path

FALCON_CIFAR100 = {"accuracy": 59.6, "ari": 42.5, "ged": 0.0}


def test_all_tables_of_the_paper_are_laid_out(tmp_path: Path, monkeypatch, capsys):
    # a mock of the fit, of which there are a hundred: what is tested is what goes where
    def measure(run: Run, seed: int, steps: int):
        started.append(run.name)
        return {
            "n_fine": 9 + seed,
            "accuracy": len(started),
            "ari": seed,
            "ged": 2.0,
            "classes_used": 3,
            "seconds": 0.1,
        }

    started: list[str] = []
    monkeypatch.setattr(ablation, "measure", measure)
    values = ablation.run(out=tmp_path, seeds=2)
    assert len(started) == 2 * len(set(started)) == 2 * 33  # a run that is in several tables is run once
    assert (
        list(dict.fromkeys(values["table"]))
        == [*TABLES]
        == ["4", "5", "6", "J1", "M1", "N1", "N2", "N3", "N4", "N5", "O1"]
    )
    n_rows = {name: len(table.rows) for name, table in TABLES.items()}
    assert list(n_rows.values()) == [3, 4, 3, 3, 1, 3, 3, 3, 3, 3, 2]
    text = (tmp_path / "ablation_tables.md").read_text(encoding="utf-8")
    assert text.count("\n## Table") == 11
    assert "Estimated for seven digits: 9, 10." in text
    assert "Measured on" in text
    base = [1 + i for i, name in enumerate(started) if name == Run().name]
    mean, spread = np.mean(base), np.std(base, ddof=1)
    assert re.search(rf"\| \*\*0\.9\*\* +\| {mean:.1f} ± {spread:.1f} \(59\.6\)", text)
    assert len(pd.read_csv(tmp_path / "ablation_tables.csv")) == len(values)


def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path, monkeypatch):
    ablation.run(out=tmp_path, seeds=1, tables=["N2"], steps=20)
    started = []
    measure = _ablation_runs.measure
    monkeypatch.setattr(ablation, "measure", lambda *what: started.append(what) or measure(*what))
    ablation.run(out=tmp_path, seeds=1, tables=["N2", "O1"], steps=20)
    assert [run.name for run, _, _ in started] == [
        "FALCON; ten; T1; K_F known M",
        "FALCON; seven; T1; K_F known M",
        "FALCON; seven; T1; K_F true",
    ]
    values = ablation.run(out=tmp_path, seeds=1, tables=["N2"], steps=21)  # other runs than those of 20 steps
    assert len(started) == 6
    assert values["seeds"].tolist() == [1] * 6


def test_a_run_that_diverges_ends_no_table(tmp_path: Path, monkeypatch):
    def measure(run: Run, seed: int, steps: int):
        if run.n_fine == "known M":
            msg = "training diverged"
            raise FloatingPointError(msg)
        return {"n_fine": 10, "accuracy": 50.0, "ari": 40.0, "ged": 0.0, "classes_used": 3, "seconds": 0.1}

    monkeypatch.setattr(ablation, "measure", measure)  # a mock, as none of these runs diverges
    values = ablation.run(out=tmp_path, seeds=2, tables=["O1"]).set_index(["row", "column"])["mean"]
    assert np.isnan(values["actual", "ten ACC"])
    assert values["estimated", "ten ACC"] == 50
    assert "failed (59.6)" in (tmp_path / "ablation_tables.md").read_text(encoding="utf-8")


def test_every_value_is_of_the_run_that_it_stands_for():
    """The paper's own numbers agree: FALCON on CIFAR-100 has the same score wherever it stands."""
    cells = [cell for table in TABLES.values() for row in table.rows for cell in row.values() if isinstance(cell, Cell)]
    for cell in cells:
        if cell.run in (Run(), Run(n_fine="known M")):
            assert cell.paper == FALCON_CIFAR100[cell.score]
    published: dict[tuple[Run, str], set[float]] = {}
    for cell in cells:
        published.setdefault((cell.run, cell.score), set()).add(cell.paper)
    assert all(len(values) == 1 for values in published.values())


def test_the_settings_are_the_paper_s_but_for_network_and_batches():
    for data, preset in (("ten", FalconConfig.cifar100()), ("seven", FalconConfig.cifar68())):
        config = settings(Run(data=data), 1198, 720)
        changed = {k for k, v in config.to_dict().items() if v != preset.to_dict()[k]}
        assert changed == {"batch_size", "max_epochs", "n_layers"}
    steps = [settings(Run(), n, 720) for n in (1198, 599)]
    assert [c.max_epochs * c.iterations_per_epoch(n) for c, n in zip(steps, (1198, 599), strict=True)] == [720, 720]
    row = TABLES["5"].rows[2]["ACC"]  # without the coarse loss
    config = settings(row.run, 1198, 720)
    assert (config.lambda_1, config.lambda_conf, config.lambda_nn) == (0, 0, 1)


def test_halves_are_labeled_by_one_policy_each():
    data = digits("ten")
    first, second, both = (labeled(name, data) for name in ("T1, first half", "T2, second half", "T1&T2"))
    assert not set(first[0]) & set(second[0])
    assert sorted([*first[0], *second[0]]) == both[0].tolist() == list(range(len(data.fine)))
    for rows, coarse, policy in ((first[0], first[1], "T1"), (second[0], second[1], "T2")):
        assert coarse.tolist() == POLICIES[policy][data.fine[rows]].tolist() == both[1][rows].tolist()
        assert set(both[2][rows]) == {policy}


def test_digits_are_split_once_and_seven_are_uneven():
    ten, seven = digits("ten"), digits("seven")
    assert len(ten.fine) + len(ten.fine_test) == 1797
    assert len(np.unique(np.vstack([ten.X, ten.X_test]), axis=0)) == 1797
    assert ten.true_relation("T1").sum(axis=0).tolist() == [5, 5]
    assert ten.true_relation("T2").sum(axis=0).tolist() == [5, 5]
    assert seven.true_relation("T1").sum(axis=0).tolist() == [5, 2]
    assert sorted(set(seven.fine_test)) == [0, 1, 2, 3, 4, 6, 8]


@pytest.mark.parametrize(
    "run",
    [Run("SCAN-C", labels="T1&T2"), Run(labels="T1&T2"), Run(data="seven", n_fine="150%"), Run("GEORGE", data="seven")],
    ids=lambda run: run.name,
)
def test_runs_are_measured_on_the_test_digits(run, monkeypatch):
    if run.method == "GEORGE":  # UMAP takes ten seconds to compile, and has a test of its own
        from falcon_sc import baselines

        method = baselines.GEORGE
        monkeypatch.setattr(baselines, "GEORGE", lambda *a, **k: method(*a, reduction="none", **k))
    row = _ablation_runs.measure(run, 0, 20)
    assert row["n_fine"] == {"ten": 10, "seven": 11 if run.n_fine == "150%" else 7}[run.data]
    assert 5 < row["accuracy"] < 100
    assert np.isnan(row["ged"])


def test_relations_that_are_known_have_no_edits():
    assert _ablation_runs.measure(Run(data="seven", n_fine="known M"), 0, 20)["ged"] == 0


def test_an_unknown_table_is_named():
    with pytest.raises(ValueError, match=r"tables: \['P1'\] are not among \['4', "):
        ablation.run(tables=["P1", "4"])
