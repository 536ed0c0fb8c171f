"""The benchmark runs, at a size at which its figures say nothing, and all ways to read give the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from falcon_sc.benchmarks.performance import on_disk

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("dask", reason="the extra `disk` is not installed")


def test_all_ways_give_the_same(tmp_path: Path) -> None:
    table = on_disk.run(out=tmp_path, cells=(1500,), ways=("memory", "zarr"))
    assert table["from"].tolist() == ["memory", "zarr"]
    assert table["checksum"].nunique() == table["values"].nunique() == 1
    assert (table["peak_gib"] > table["imports_gib"]).all()
    assert {path.name for path in tmp_path.iterdir()} == {"on_disk.csv", "on_disk.md"}


def test_the_whole_is_measured() -> None:
    table = on_disk.run(cells=(300,), ways=("zarr",), whole=True)
    assert table["n_obs"].tolist() == [300]
    assert (table["peak_gib"] > table["imports_gib"]).all()
    assert (table[["cpu_s", "wall_s"]] > 0).all(axis=None)


def test_times_are_compared_with_those_in_memory() -> None:
    rows = [(100, "memory", 2.0), (100, "zarr", 3.0), (500, "memory", 4.0), (500, "zarr", 4.0), (900, "zarr", 1.0)]
    table = pd.DataFrame([{"n_obs": n, "from": way, "cpu_s": s, "wall_s": s / 2} for n, way, s in rows])
    found = on_disk._with_ratios(table)
    assert found["cpu_ratio"].tolist()[:4] == found["wall_ratio"].tolist()[:4] == [1, 1.5, 1, 1]
    assert np.isnan(found["cpu_ratio"].iloc[4])


def test_an_unknown_way_is_refused_before_anything_is_simulated() -> None:
    with pytest.raises(ValueError, match="'csv' is none of memory, zarr, h5ad"):
        on_disk.run(ways=("csv",))
