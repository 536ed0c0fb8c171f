"""The way of a user through the commands, on real cells: what each of them writes agrees with all the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd

import falcon_sc as fsc
from falcon_sc._cli import main
from falcon_sc.pl._style import fine_colors

if TYPE_CHECKING:
    from pathlib import Path


def agreeing(path: Path, table: Path, model: Path) -> ad.AnnData:
    """The cells of a file in which labels, probabilities, confidence, M, names and colors agree, with table and model too."""
    adata = ad.read_h5ad(path)
    about, fine = adata.uns["falcon"], adata.obs["falcon_fine"]
    names, relation = [str(name) for name in about["fine_names"]], np.asarray(about["M"])
    assert set(fine.cat.categories) == set(fine) <= set(names)
    parents = np.asarray(about["coarse_names"])[relation.argmax(axis=1)]
    assert (parents[[names.index(name) for name in fine]] == adata.obs["coarse"].astype(str)).all()
    proba = adata.obsm["falcon_proba"]
    assert proba.shape == (adata.n_obs, len(names))
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)
    assert adata.obs["falcon_confidence"].between(0, 1).all()
    colors = fine_colors(adata, "falcon")
    assert list(adata.uns["falcon_fine_colors"]) == [colors[name] for name in fine.cat.categories]
    assert len(set(colors.values())) == len(names)

    labels = pd.read_csv(table, index_col="cell")
    assert labels.index.tolist() == adata.obs_names.tolist()
    assert labels["falcon_fine"].tolist() == fine.tolist()
    np.testing.assert_allclose(labels["falcon_confidence"], adata.obs["falcon_confidence"], atol=1e-6)

    saved = fsc.Falcon.load(model, device="cpu")
    assert saved.fine_names_.tolist() == names
    np.testing.assert_array_equal(saved.relation_, relation)
    again = path.with_name("again.h5ad")
    options = ["--model", str(model), "--coarse-key", "coarse", "--key-added", "again", "--device", "cpu"]
    assert main(["predict", str(path), *options, "-o", str(again)]) == 0
    predicted = ad.read_h5ad(again)
    assert predicted.obs["again_fine"].astype(str).tolist() == fine.astype(str).tolist()
    np.testing.assert_allclose(predicted.obsm["again_proba"], proba, atol=1e-5)
    return adata


def test_discover_cut_refine_predict_markers_report(tmp_path: Path) -> None:
    cells = fsc.datasets.pbmc68k_reduced()
    new = np.arange(cells.n_obs) % 7 == 0
    cells[~new].copy().write_h5ad(tmp_path / "cells.h5ad")
    cells[new].copy().write_h5ad(tmp_path / "new.h5ad")
    model, table = tmp_path / "model", tmp_path / "labels.csv"

    def run(command: str, source: str, *options: object) -> ad.AnnData:
        where = [str(tmp_path / source), "-o", str(tmp_path / f"{command}.h5ad"), "--csv", str(table)]
        assert main([command, *where, *map(str, options)]) == 0
        return agreeing(tmp_path / f"{command}.h5ad", table, model)

    few = ["--max-epochs", 10, "--no-progress-bar", "--device", "cpu", "--save-model", model]
    found = run("discover", "cells.h5ad", "--coarse-key", "coarse", "--n-fine", 10, *few)
    assert found.obs["falcon_fine"].nunique() == 10
    assert "decisions" not in found.uns["falcon"]

    cut = run("cut", "discover.h5ad", "--n-fine", 9, "--fixed", "T cell=4")
    assert cut.obs["falcon_fine"].nunique() == 9
    assert cut.obs.loc[cut.obs["coarse"] == "T cell", "falcon_fine"].nunique() == 4

    leaves = cut.uns["falcon"]["tree"]["leaf_coarse"]
    deeper = int((leaves == list(cut.uns["falcon"]["coarse_names"]).index("B cell")).sum()) + 1
    refined = run("refine", "cut.h5ad", "--class", "B cell", "--n-fine", deeper, "--no-progress-bar")
    other = refined.obs["coarse"] != "B cell"
    assert refined.obs.loc[~other, "falcon_fine"].nunique() == deeper
    assert refined.obs.loc[other, "falcon_fine"].astype(str).equals(cut.obs.loc[other, "falcon_fine"].astype(str))
    history = pd.DataFrame(dict(refined.uns["falcon"]["decisions"]))
    assert history.groupby("step")["kind"].unique().map(list).tolist() == [["cut"], ["refine"]]

    about = ["--model", str(model), "--coarse-key", "coarse", "--device", "cpu"]
    assert main(["predict", str(tmp_path / "new.h5ad"), *about, "-o", str(tmp_path / "known.h5ad")]) == 0
    known = ad.read_h5ad(tmp_path / "known.h5ad")
    names = [str(name) for name in refined.uns["falcon"]["fine_names"]]
    assert known.obs["falcon_fine"].isin(names).all()
    assert known.obs["falcon_fine"].str.rpartition(":")[0].tolist() == known.obs["coarse"].astype(str).tolist()

    result = str(tmp_path / "refine.h5ad")
    assert main(["markers", result, "-o", str(tmp_path / "markers.csv")]) == 0
    assert set(pd.read_csv(tmp_path / "markers.csv")["fine"]) == set(refined.obs["falcon_fine"])
    assert main(["report", result, "-o", str(tmp_path / "report.html")]) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(name in page for name in names)
