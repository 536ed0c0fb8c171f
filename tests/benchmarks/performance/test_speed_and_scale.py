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


def test_scale_without_leiden_has_no_ratios_and_says_how_it_grows():
    took = {"cpu_s": 2.0, "wall_s": 1.0, "peak_gib": 0.5}
    row = scale._row(100, "discover", took, None)
    assert np.isnan(row["cpu_ratio"])
    doubled = scale._row(200, "discover", {name: 2 * value for name, value in took.items()}, took)
    assert doubled["wall_ratio"] == 2
    assert scale._exponents(pd.DataFrame([row, doubled])) == "cpu_s 1.00, wall_s 1.00, peak_gib 1.00"


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
