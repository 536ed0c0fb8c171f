from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from falcon_sc.benchmarks.cells import cells
from falcon_sc.benchmarks.cells._data import simulated
from falcon_sc.benchmarks.cells._methods import DEFAULTS, METHODS, Method

TINY: dict[str, Any] = {"n_obs": 240, "n_vars": 120, "n_coarse": 2, "n_fine": 5, "gini": 0.2, "difficulty": 0.3}


@pytest.mark.leiden
@pytest.mark.usefixtures("two_epochs")
def test_run(tmp_path, capsys):
    methods = [name for name in DEFAULTS if name != "falcon_sc (oracle)"]  # the same code as falcon_sc, and slow
    table = cells.run(out=tmp_path, seeds=1, methods=methods, simulations={"easy": TINY}, jobs=1)
    assert table["method"].tolist() == methods
    assert table.columns.tolist() == [
        "data", "source", "seed", "method", "group", "n_obs", "n_coarse", "n_fine", "kind",
        "accuracy", "macro_accuracy", "ari", "cpu_seconds", "classes_used", "failed",
    ]  # fmt: skip
    kinds = dict(zip(table["method"], table["kind"], strict=True))
    assert {name for name, kind in kinds.items() if kind == "oracle"} == {
        "K-Means (oracle)",
        "K-Means, scaled genes (oracle)",
        "Gaussian mixture (oracle)",
    }
    assert METHODS["falcon_sc (oracle)"].kind == "oracle"
    assert [name for name, kind in kinds.items() if kind == "bound"] == ["supervised (bound)"]
    assert table[["accuracy", "macro_accuracy"]].stack().between(0, 100).all()
    assert (table["cpu_seconds"] > 0).all()
    easy = table.set_index("method")
    assert easy.loc["coarse labels alone", "classes_used"] == 2
    assert easy.loc["supervised (bound)", "accuracy"] > easy.loc["coarse labels alone", "accuracy"] + 20
    assert {path.name for path in tmp_path.iterdir()} == {
        "cells.csv", "cells.md", "cells.png", "cells_summary.csv", "cells_summary.md"
    }  # fmt: skip
    assert len(pd.read_csv(tmp_path / "cells.csv")) == len(table)
    assert "easy, seed 0, Leiden" in capsys.readouterr().out
    assert "| easy | " in (tmp_path / "cells.md").read_text()


def test_a_run_that_diverges_is_counted_and_ends_no_table(tmp_path, monkeypatch, capsys):
    def diverges(made: Any, n_fine: Any, seed: int) -> Any:  # in place of training with a step that is too large
        if seed == 1:
            msg = "training diverged"
            raise FloatingPointError(msg)
        return made.coarse

    monkeypatch.setitem(METHODS, "shaky", Method(diverges))
    asked: dict[str, Any] = {"methods": ["shaky", "coarse labels alone"], "simulations": {"easy": TINY}, "jobs": 1}
    table = cells.run(out=tmp_path, seeds=2, **asked)
    assert table["failed"].dropna().to_dict() == {2: "training diverged"}
    assert table["accuracy"].notna().tolist() == [True, True, False, True]
    again = cells.run(out=tmp_path, seeds=2, **asked)
    pd.testing.assert_frame_equal(again[["accuracy"]], table[["accuracy"]])
    summary = cells.summarize(again).set_index("method")
    assert summary["diverged"].to_dict() == {"shaky": 1, "coarse labels alone": 0}
    assert summary.loc["shaky", "accuracy"] == table["accuracy"][0]
    shown = cells.scores_by_method(again).set_index("data")
    assert shown.loc["easy", "shaky"].endswith(", 1 diverged")
    assert "diverged" not in shown.loc["easy", "coarse labels alone"]
    assert "easy, seed 1, shaky: training diverged" in capsys.readouterr().out
    gone = cells.scores_by_method(table[table["seed"] == 1]).set_index("data")
    assert gone.loc["easy", "shaky"] == "- / - / -, 1 diverged"


def test_real_data_are_read_from_the_folder(tmp_path):
    for name, fine in [
        ("telencephalon", True),
        ("starmap_mpfc", False),
        ("cbmc_citeseq", False),
        ("zeisel_200genes", False),
    ]:
        made = simulated("", TINY, 0)
        made.adata.obs = pd.DataFrame({"coarse": made.coarse, "fine": made.fine}, index=made.adata.obs_names)
        if fine:
            made.adata.obs["mid"] = made.coarse
        made.adata.write_h5ad(tmp_path / f"{name}.h5ad")
    table = cells.run(data=tmp_path, seeds=2, methods=["coarse labels alone"], simulations={}, jobs=1)
    assert table.groupby("group")["data"].nunique().to_dict() == {"real": 4, "few extra": 1}
    assert table["seed"].tolist() == 5 * [0, 1]
    assert (table.loc[table["data"] == "telencephalon mid", "accuracy"] == 100).all()


def test_a_killed_run_goes_on_and_processes_give_the_same_scores(tmp_path, monkeypatch):
    asked: dict[str, Any] = {
        "seeds": 2,
        "methods": ["coarse labels alone", "K-Means"],
        "simulations": {"easy": TINY, "hard": TINY | {"difficulty": 1.0}},
    }
    scores = ["data", "seed", "method", "accuracy", "macro_accuracy", "ari", "classes_used"]
    expected = cells.run(**asked, jobs=1)[scores]
    measure, measured = cells._measure, []

    def killed(found: Any, run: Any) -> dict[str, Any]:
        measured.append((run["data"], run["seed"], run["method"]))
        if len(measured) > 3:
            raise KeyboardInterrupt
        return measure(found, run)

    monkeypatch.setattr(cells, "_measure", killed)
    with pytest.raises(KeyboardInterrupt):
        cells.run(**asked, out=tmp_path, jobs=1)
    monkeypatch.setattr(cells, "_measure", measure)
    assert len(pd.read_csv(tmp_path / "cells.csv")) == 3
    table = cells.run(**asked, out=tmp_path, jobs=2)
    pd.testing.assert_frame_equal(table[scores], expected)
    assert len(pd.read_csv(tmp_path / "cells.csv")) == 8
    # another simulation of the same name is another data set
    other = cells.run(**asked | {"simulations": {"easy": TINY | {"n_obs": 300}}}, out=tmp_path, jobs=1)
    assert other["n_obs"].tolist() == [300] * 4


def test_files_that_are_not_there_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no h5ad file"):
        cells.run(data=tmp_path, methods=["K-Means"])
    simulated("", TINY, 0).adata.write_h5ad(tmp_path / "unlabeled.h5ad")
    with pytest.raises(FileNotFoundError, match=r"has no file 'mine.h5ad', found \['unlabeled'\]"):
        cells.run(data=tmp_path, methods=["K-Means"], only=["mine"])
    with pytest.raises(ValueError, match=r"only='unlabeled': .* lacks the columns 'coarse' and 'fine'"):
        cells.run(data=tmp_path, methods=["K-Means"], only=["unlabeled"])


@pytest.mark.leiden
@pytest.mark.usefixtures("two_epochs")
def test_one_file_of_a_folder_with_negative_values(tmp_path):
    """Cytometry: no counts, so that every method works on the values as they are."""
    made = simulated("", TINY, 0)
    values = np.arcsinh(np.asarray(made.adata.X.todense()) / 5) - 0.1
    obs = pd.DataFrame({"coarse": made.coarse, "fine": made.fine}, index=made.adata.obs_names)
    AnnData(values.astype(np.float32), obs).write_h5ad(tmp_path / "cytometry.h5ad")
    made.adata.write_h5ad(tmp_path / "unlabeled.h5ad")  # left out
    table = cells.run(data=tmp_path, seeds=1, methods=["Leiden", "falcon_sc"], only=["cytometry"], jobs=1)
    assert table["data"].tolist() == 2 * ["cytometry"]
    assert (table["accuracy"] > 40).all()


@pytest.mark.leiden
def test_scvi_runs_where_it_is_asked_for(monkeypatch):
    pytest.importorskip("scvi", reason="the extra `scvi` is not installed")
    monkeypatch.setattr("scvi.model.base._training_mixin.get_max_epochs_heuristic", lambda n: 2)
    assert set(METHODS) - set(DEFAULTS) == {"scVI + Leiden"}
    table = cells.run(seeds=1, methods=["scVI + Leiden"], simulations={"easy": TINY}, jobs=1)
    assert table["classes_used"].tolist() == [5]
    assert (table["cpu_seconds"] > 0.1).all()


def test_scvi_is_missed_before_the_others_run(monkeypatch):
    monkeypatch.setitem(sys.modules, "scvi", None)
    monkeypatch.setattr(cells, "_measure", lambda *what: pytest.fail("a method was run"))
    with pytest.raises(ImportError, match=r"scVI \+ Leiden needs scvi-tools: pip install 'falcon-sc\[scvi\]'"):
        cells.run(methods=["coarse labels alone", "scVI + Leiden"], simulations={"easy": TINY}, jobs=1)


def test_refusals():
    with pytest.raises(ValueError, match=r"\['Luvain'\] are not among \['coarse labels alone', 'Leiden'"):
        cells.run(methods=["Luvain"])
    with pytest.raises(ValueError, match="jobs"):
        cells.run(jobs=0)


def test_methods_see_no_fine_label():
    made = simulated("", TINY, 0)
    assert made.adata.obs.columns.tolist() == ["coarse"]
    assert made.n_fine == 5
    assert sum(made.n_per_class.values()) == 5


def test_summary_and_means():
    rows = [
        {"data": data, "group": "real", "n_fine": 3, "method": "m", "kind": "method", "seed": seed, "accuracy": accuracy,
         "macro_accuracy": 10.0, "ari": 5.0, "cpu_seconds": seconds, "classes_used": 3}
        for data, seed, accuracy, seconds in [("a", 0, 40.0, 9.0), ("a", 1, 60.0, 1.0), ("a", 2, 50.0, 1.0), ("b", 0, 80.0, 1.0)]
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    summary = cells.summarize(table).set_index("data")
    assert summary.loc["a", ["accuracy", "accuracy_sd", "cpu_seconds"]].tolist() == [50.0, 10.0, 1.0]
    assert np.isnan(summary.loc["b", "accuracy_sd"])
    assert cells._long_ones(cells.summarize(table)) == ""
    slow = cells.summarize(table.assign(cpu_seconds=[9.0, 90.0, 90.0, 1.0]))
    assert cells._long_ones(slow) == " More than a minute of CPU time: m on a (90 s)."
    compact = cells.scores_by_method(table)
    assert compact["m"].tolist() == ["50.0 / 10.0 / 5.0", "80.0 / 10.0 / 5.0", "65.0 / 10.0 / 5.0"]
    assert compact["data"].tolist() == ["a", "b", "mean, real"]
