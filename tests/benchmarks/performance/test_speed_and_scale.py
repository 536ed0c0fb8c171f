"""The benchmarks run, at a size at which their figures say nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from falcon_sc.benchmarks.performance import neighbors, scale, speed, steps, views


def test_speed_times_every_input_and_batch_size(monkeypatch, tmp_path):
    monkeypatch.setattr(speed, "_N_OBS", 300)
    table = speed.run(out=tmp_path, n_iterations=2)
    on_cpu = table[table["device"] == "cpu"]
    assert set(on_cpu["threads"]) == {1, 2}
    assert len(on_cpu) == 2 * 3 * 2
    assert (table["median_ms"] > 0).all()
    assert {p.name for p in tmp_path.iterdir()} == {"speed.csv", "speed.md", "speed.png"}


@pytest.mark.leiden
def test_scale_reports_stages_that_add_up_beside_leiden(tmp_path):
    """In processes of their own: the figures of the command are those of a user."""
    table = scale.run(out=tmp_path, cells=(150,), device="cpu", n_genes=100, n_coarse=3, n_fine=6).set_index("what")
    for what, n_stages in (("discover", 5), ("Leiden", 2)):
        stages = table[table.index.str.startswith(f"{what}: ")]
        assert len(stages) == n_stages
        for column in ("cpu_s", "wall_s", "cpu_ratio", "wall_ratio"):
            assert stages[column].min() >= 0
            assert stages[column].sum() == pytest.approx(table.loc[what, column], abs=0.05)
        assert table.loc[what, "accuracy"] > 0.4
        assert table.loc[what, "peak_gib"] >= 0
        assert table.loc[f"{what}, cold", "cpu_s"] > 1  # of imports alone
    assert (table.loc[["Leiden", "Leiden, cold"], ["cpu_ratio", "wall_ratio"]] == 1).all(axis=None)
    assert {p.name for p in tmp_path.iterdir()} == {"scale.csv", "scale.md", "scale.png"}


def test_scale_without_leiden_has_no_ratios():
    took = {"cpu_s": 2.0, "wall_s": 1.0, "peak_gib": 0.5}
    assert np.isnan(scale._row(100, "discover", took, None)["cpu_ratio"])
    assert scale._row(200, "discover", {name: 2 * value for name, value in took.items()}, took)["wall_ratio"] == 2


def test_of_the_warm_calls_the_middle_one_counts():
    calls = [{"cpu_s": seconds} for seconds in (9.0, 3.0, 1.0, 2.0)]
    assert scale._warm({"calls": calls})["cpu_s"] == 2
    assert scale._warm({"calls": calls[:1]})["cpu_s"] == 9  # a first call that took long stands for all


def test_scale_says_how_each_stage_grows_from_ten_thousand_cells_on():
    rows = [
        {"n_obs": n, "what": what, "cpu_s": seconds, "wall_s": seconds, "peak_gib": memory}
        for n in (3_000, 10_000, 100_000, 1_000_000)
        for what, seconds, memory in (
            ("discover", 7.0 if n == 3_000 else n**1.1, n / 1e6),
            ("discover: writing", 0.0, np.nan),
            *([("Leiden", float(n), 1.0)] if n <= 10_000 else [("Leiden: not run", np.nan, np.nan)]),
        )
    ]
    growth = scale._growth(pd.DataFrame(rows)).set_index("what")
    assert growth.index.tolist() == ["discover", "discover: writing"]
    assert growth.loc["discover", ["from", "to"]].tolist() == [10_000, 1_000_000]
    assert growth.loc["discover", ["cpu_s", "wall_s", "peak_gib"]].tolist() == pytest.approx([1.1, 1.1, 1.0])
    assert np.isnan(growth.loc["discover: writing", "cpu_s"])
    few = scale._growth(pd.DataFrame(rows[:2] + rows[3:6])).set_index("what")  # 3,000 and 10,000: all there is
    assert few.loc["discover", ["from", "to"]].tolist() == [3_000, 10_000]


@pytest.mark.leiden
def test_scale_does_not_run_leiden_on_many_cells(monkeypatch, tmp_path):
    monkeypatch.setattr(scale, "_LEIDEN_UP_TO", 120)
    run: list[str] = []

    def measured(module: str, function: str, *arguments: object) -> object:  # what is measured takes half a minute
        if function == "simulated":
            return 0.1
        run.append(str(arguments[1]))
        call = {"cpu_s": 1.0, "wall_s": 1.0, "peak_gib": 0.1, "stages": {}}
        return {"calls": [call], "accuracy": 0.5, "ari": 0.5}

    monkeypatch.setattr(scale, "in_own_process", measured)
    table = scale.run(out=tmp_path, cells=(100, 150), device="cpu").set_index(["n_obs", "what"])
    assert run == ["discover", "Leiden", "discover"]
    assert (150, "Leiden: not run") in table.index
    assert (100, "Leiden: not run") not in table.index
    assert "Growth exponents" in (tmp_path / "scale.md").read_text()


def test_neighbors_compares_both_searches():
    table = neighbors.run(sizes=(400,), n_neighbors=10)
    assert table["recall"].iloc[0] > 0.9
    assert np.isfinite(table["exact_s"]).all()


@pytest.mark.image
def test_views_are_drawn_by_all_libraries(tmp_path):
    table = views.run(out=tmp_path, device="cpu", size=8, n_images=6, n_times=1).set_index("views")
    different = table["different views of 64 copies"]
    assert min(different["falcon_sc"], different["torchvision, images"]) > 60
    assert different["torchvision, batch"] == 1
    assert (table["median_ms"] > 0).all()
    assert {p.name for p in tmp_path.iterdir()} == {"views.csv", "views.md"}


@pytest.mark.image
def test_steps_are_timed_eager_and_compiled(monkeypatch, tmp_path):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda network: compiled.append(network) or network)  # takes a minute
    monkeypatch.setattr(steps, "_ON_CPU", (("resnet18", 8, 2),))
    table = steps.run(out=tmp_path, device="cpu", n_times=1)
    assert table["compiled"].tolist() == [False, True]
    assert len(compiled) == 1
    assert (table["images_per_s"] > 0).all()
    assert {p.name for p in tmp_path.iterdir()} == {"steps.csv", "steps.md"}
