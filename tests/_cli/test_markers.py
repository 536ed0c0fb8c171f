from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

import falcon_sc as fsc
from falcon_sc._cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


def test_the_table(planted: AnnData, tmp_path: Path, quick) -> None:
    found = fsc.tl.discover(planted, "coarse", 6, copy=True, key_added="sub", **quick)
    found.write_h5ad(tmp_path / "found.h5ad")
    table = tmp_path / "new" / "markers.csv"
    assert main(["markers", str(tmp_path / "found.h5ad"), "-o", str(table), "--key", "sub", "--n-genes", "5"]) == 0
    wanted = fsc.tl.markers(found, key="sub", n_genes=5)
    pd.testing.assert_frame_equal(pd.read_csv(table), wanted, check_dtype=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "in.h5ad: adata.uns['falcon'] holds no result: run falcon-sc discover --key-added='falcon' first"),
        (
            ["-o", "markers.txt"],
            "in.h5ad: --output='markers.txt' is of an unknown format: give a name that ends in .csv",
        ),
    ],
)
def test_mistakes(source: Path, capsys, monkeypatch, options: list[str], message: str) -> None:
    monkeypatch.chdir(source.parent)
    assert main(["markers", "in.h5ad", "-o", "markers.csv", *options]) == 2
    assert f"falcon-sc: error: {message}" in capsys.readouterr().err
    assert [path.name for path in source.parent.iterdir()] == ["in.h5ad"]
