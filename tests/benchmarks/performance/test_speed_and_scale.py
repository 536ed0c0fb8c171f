"""The benchmarks run, at a size at which their figures say nothing."""

from __future__ import annotations

import numpy as np
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


def test_scale_reports_stages_that_add_up(tmp_path):
    table = scale.run(out=tmp_path, sizes=(1000,), device="cpu")
    row = table.iloc[0]
    shares = [row["share_start"], row["share_neighbors"], row["share_training"]]
    assert min(shares) > 0
    assert 0.5 < sum(shares) <= 1  # the rest is writing
    assert row["classes_used"] > 75
    assert {p.name for p in tmp_path.iterdir()} == {"scale.csv", "scale.md", "scale.png"}


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
