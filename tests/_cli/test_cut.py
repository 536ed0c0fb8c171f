from __future__ import annotations

from typing import TYPE_CHECKING

import anndata as ad
import pandas as pd
import pytest

import falcon_sc as fsc
from falcon_sc._cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


@pytest.fixture(scope="module")
def found(planted: AnnData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a result, and its model beside it."""
    folder = tmp_path_factory.mktemp("found")
    adata = fsc.tl.discover(
        planted, "coarse", 6, copy=True, max_epochs=2, progress_bar=False, device="cpu", save_model=folder / "model"
    )
    adata.write_h5ad(folder / "found.h5ad")
    return folder / "found.h5ad"


def test_the_classes_of_the_file_and_of_the_model(found: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    options = ["--n-fine", "5", "--fixed", "CD4/CD8 T=1", "--fixed", "B cell=2", "--csv", str(table)]
    assert main(["cut", str(found), "-o", str(tmp_path / "cut.h5ad"), *options]) == 0
    wanted = ad.read_h5ad(found)
    del wanted.uns["falcon"]["params"]["saved_model"]  # it has been cut
    fsc.tl.cut(wanted, 5, fixed={"CD4/CD8 T": 1, "B cell": 2})
    cut = ad.read_h5ad(tmp_path / "cut.h5ad")
    assert cut.obs["falcon_fine"].tolist() == wanted.obs["falcon_fine"].tolist()
    assert pd.read_csv(table)["falcon_fine"].tolist() == wanted.obs["falcon_fine"].tolist()
    assert fsc.Falcon.load(found.parent / "model").fine_names_.tolist() == list(wanted.uns["falcon"]["fine_names"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "in.h5ad: adata.uns['falcon'] holds no result: run falcon-sc discover --key-added='falcon' first"),
        (["-o", "cut.txt"], "in.h5ad: --output='cut.txt' is of an unknown format"),
    ],
)
def test_mistakes(source: Path, capsys, monkeypatch, options: list[str], message: str) -> None:
    monkeypatch.chdir(source.parent)
    assert main(["cut", "in.h5ad", "-o", "cut.h5ad", "--n-fine", "5", *options]) == 2
    assert f"falcon-sc: error: {message}" in capsys.readouterr().err
    assert [path.name for path in source.parent.iterdir()] == ["in.h5ad"]


@pytest.mark.parametrize("command", [["cut"], ["discover", "--coarse-key", "coarse", "--n-fine", "6"]], ids=" ".join)
def test_a_class_with_two_numbers(source: Path, capsys, command: list[str]) -> None:
    options = ["--fixed", "B cell=2", "--fixed", "B cell=3", "-o", str(source.parent / "out.h5ad")]
    with pytest.raises(SystemExit, match="2"):
        main([*command, str(source), *options])
    assert "--fixed: 'B cell' has two numbers, 2 and 3: give one" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["-o", "--model"])
def test_a_variable_of_the_shell_that_is_not_set(source: Path, capsys, option: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["cut", str(source), "--n-fine", "5", "-o", "out.h5ad", option, ""])
    assert "the path is empty" in capsys.readouterr().err


def test_nothing_asked(found: Path, tmp_path: Path, capsys) -> None:
    assert main(["cut", str(found), "-o", str(tmp_path / "cut.h5ad")]) == 2
    assert "give --n-fine, the total number of fine classes, or --fixed" in capsys.readouterr().err
