"""The benchmark runs, at a size at which its figures say nothing, and all ways to read give the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from falcon_sc.benchmarks.performance import on_disk

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("dask", reason="the extra `disk` is not installed")


def test_all_ways_give_the_same(tmp_path: Path) -> None:
    table = on_disk.run(out=tmp_path, sizes=(1500,), ways=("memory", "zarr"))
    assert table["from"].tolist() == ["memory", "zarr"]
    assert table["checksum"].nunique() == table["values"].nunique() == 1
    assert (table["peak_gib"] > table["imports_gib"]).all()
    assert {path.name for path in tmp_path.iterdir()} == {"on_disk.csv", "on_disk.md"}
