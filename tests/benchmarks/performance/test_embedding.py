"""The benchmark runs, at a size at which its figures say nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from falcon_sc.benchmarks.performance import embedding

if TYPE_CHECKING:
    from pathlib import Path


def test_stages_add_up_and_new_cells_are_predicted(tmp_path: Path) -> None:
    """In processes of their own: the figures of the command are those of a user."""
    table = embedding.run(out=tmp_path, cells=(600,), device="cpu").set_index("what")
    stages = table[table.index.str.startswith("discover: ")]
    assert len(stages) == 5
    assert stages["cpu_s"].min() >= 0
    assert stages["wall_s"].sum() == pytest.approx(table.loc["discover", "wall_s"], abs=0.2)
    for what in ("discover", "predict"):
        assert table.loc[what, "peak_gib"] > table.loc[what, "held_gib"] > 0
        assert table.loc[what, "accuracy"] > 0.4
    assert {path.name for path in tmp_path.iterdir()} == {"embedding.csv", "embedding.md"}


def test_planted_classes_are_the_same_for_other_cells(monkeypatch) -> None:
    monkeypatch.setattr(embedding, "_BLOCK", 700)
    (first, fine), (second, other) = embedding.planted(3000, 0), embedding.planted(3000, 1)
    assert first.obsm["X_latent"].dtype == np.float32
    assert len(np.unique(fine)) == len(np.unique(other)) == 83
    assert len(first.obs["coarse"].cat.categories) == 27
    assert not np.array_equal(fine, other)
    means = [
        cells.obsm["X_latent"][of == np.bincount(fine).argmax()].mean(axis=0)
        for cells, of in ((first, fine), (second, other))
    ]
    assert np.abs(means[0] - means[1]).max() < 1
    assert np.ptp(np.concatenate(means)) > 2
