from __future__ import annotations

from typing import TYPE_CHECKING

import anndata
import pandas as pd
import pytest

import falcon_sc as fsc
from falcon_sc._cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


@pytest.fixture
def model(source: Path, tmp_path: Path, few_steps: list[str]) -> Path:
    folder = tmp_path / "model"
    output = ["-o", str(tmp_path / "known.h5ad"), "--csv", str(tmp_path / "tables" / "known.csv")]
    assert main(["discover", str(source), *output, "--save-model", str(folder), *few_steps]) == 0
    return folder


def test_new_cells_and_their_table(source: Path, model: Path, planted: AnnData, tmp_path: Path, capsys) -> None:
    output, table = tmp_path / "new.h5ad", tmp_path / "new.csv"
    options = ["--model", str(model), "--coarse-key", "coarse", "--key-added", "sub", "--device", "cpu"]
    assert main(["predict", str(source), "-o", str(output), "--csv", str(table), *options]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [f"wrote {output}", f"wrote {table}"]
    wanted = fsc.tl.predict(
        planted, fsc.Falcon.load(model, device="cpu"), coarse_key="coarse", key_added="sub", copy=True
    )
    written, labels = anndata.read_h5ad(output), pd.read_csv(table, index_col="cell")
    for found in (written.obs, labels):
        assert found["sub_fine"].astype(str).equals(wanted.obs["sub_fine"].astype(str).rename_axis(found.index.name))
        assert found["sub_confidence"].between(0, 1).all()
    known = pd.read_csv(tmp_path / "tables" / "known.csv", index_col="cell")
    assert list(known) == ["falcon_fine", "falcon_confidence"]
    assert list(known.index) == list(planted.obs_names)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--model": "nowhere"}, "in.h5ad: --model='nowhere' holds no saved Falcon"),
        ({"--coarse-key": "celltype"}, "in.h5ad: --coarse-key='celltype' is not a column"),
        ({"--device": "cuda:77"}, "in.h5ad: --device='cuda:77' is not there"),
        ({"--csv": "labels.xlsx"}, "--csv='labels.xlsx' is of an unknown format: give a name that ends in .csv"),
        ({"--csv": "in.h5ad/labels.csv"}, "--csv='in.h5ad/labels.csv' cannot be written"),
        ({"-o": "out.csv"}, "--output='out.csv' is of an unknown format"),
    ],
    ids=str,
)
def test_mistakes_are_one_line_that_names_the_file(
    source: Path, model: Path, capsys, monkeypatch, change, message
) -> None:
    monkeypatch.chdir(source.parent)
    capsys.readouterr()
    before = sorted(source.parent.rglob("*"))
    options = {"--model": "model", "-o": "out.h5ad"} | change
    assert main(["predict", "in.h5ad", *(part for option in options.items() for part in option)]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert "in.h5ad" in captured.err
    assert sorted(source.parent.rglob("*")) == before
