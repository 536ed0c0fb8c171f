from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import falcon_sc as fsc
from falcon_sc._cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

DEEPER = ["--class", "CD4/CD8 T", "--no-progress-bar", "--n-fine"]


@pytest.fixture(scope="module")
def discovered(planted: AnnData, tmp_path_factory: pytest.TempPathFactory) -> AnnData:
    """Cells with a result whose model is saved."""
    path = tmp_path_factory.mktemp("discovered") / "model"
    return fsc.tl.discover(
        planted, "coarse", 6, copy=True, max_epochs=2, progress_bar=False, device="cpu", save_model=path
    )


@pytest.fixture
def found(discovered: AnnData, tmp_path: Path) -> Path:
    """A file with them, and a model of its own beside it."""
    adata, model = discovered.copy(), tmp_path / "found" / "model"
    shutil.copytree(discovered.uns["falcon"]["params"]["saved_model"], model)
    adata.uns["falcon"]["params"]["saved_model"] = str(model)
    adata.write_h5ad(tmp_path / "found" / "found.h5ad")
    return tmp_path / "found" / "found.h5ad"


@pytest.mark.parametrize("where", [[], ["--on-disk"]], ids=["memory", "disk"])
def test_deeper_than_the_tree(discovered: AnnData, found: Path, tmp_path: Path, where: list[str]) -> None:
    n_fine = int((discovered.uns["falcon"]["tree"]["leaf_coarse"] == 1).sum()) + 1
    output, table = tmp_path / "refined.h5ad", tmp_path / "labels.csv"
    assert main(["refine", str(found), *DEEPER, str(n_fine), "-o", str(output), "--csv", str(table), *where]) == 0
    wanted = fsc.tl.refine(discovered, "CD4/CD8 T", n_fine, progress_bar=False, copy=True)
    refined = ad.read_h5ad(output)
    assert refined.obs["falcon_fine"].equals(wanted.obs["falcon_fine"])
    np.testing.assert_array_equal(refined.obsm["falcon_proba"], wanted.obsm["falcon_proba"])
    assert pd.read_csv(table, index_col="cell")["falcon_fine"].tolist() == wanted.obs["falcon_fine"].tolist()
    assert fsc.Falcon.load(found.parent / "model").fine_names_.tolist() == list(wanted.uns["falcon"]["fine_names"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--class", "T"], "found.h5ad: --class='T' is no coarse class here; there are"),
        (["--class", "CD4/CD8 T", "--n-fine", "500"], "found.h5ad: --n-fine=500: 'CD4/CD8 T' has"),
        (["-o", "refined.txt"], "found.h5ad: --output='refined.txt' is of an unknown format"),
    ],
)
def test_mistakes(found: Path, tmp_path: Path, capsys, monkeypatch, options: list[str], message: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["refine", str(found), *DEEPER, "5", "-o", "refined.h5ad", *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith("falcon-sc: error: ")
    assert message in error
    assert [path.name for path in tmp_path.iterdir()] == ["found"]
