"""New cells that stay on disk: what a model gives for the same cells in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import sparse

import falcon_sc as fsc

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


@pytest.fixture(scope="module")
def model(planted: AnnData, tmp_path_factory: pytest.TempPathFactory) -> fsc.Falcon:
    path: Path = tmp_path_factory.mktemp("trained") / "model"
    config = fsc.FalconConfig(start="random")
    fsc.tl.discover(
        planted,
        "coarse",
        6,
        n_top_genes=80,
        config=config,
        max_epochs=2,
        save_model=path,
        copy=True,
        progress_bar=False,
        device="cpu",
    )
    return fsc.Falcon.load(path, device="cpu")


def to_another_total(adata: AnnData) -> AnnData:
    counts = adata.X.toarray()
    adata.X = sparse.csr_matrix(np.log1p(2e3 * counts / counts.sum(axis=1, keepdims=True)).astype(np.float32))
    return adata


@pytest.mark.parametrize("store", ["backed", "zarr", "lazy"])
@pytest.mark.parametrize("form", [lambda adata: adata, to_another_total], ids=["counts", "another total"])
def test_classes_are_those_in_memory(planted: AnnData, model: fsc.Falcon, on_disk, store: str, form) -> None:
    adata = form(planted[::-1].copy())
    stored = on_disk(adata, store)
    fsc.tl.predict(adata, model, coarse_key="coarse")
    fsc.tl.predict(stored, model, coarse_key="coarse")
    assert np.asarray(stored.obs["falcon_fine"]).tolist() == adata.obs["falcon_fine"].tolist()
    for name in ("falcon_proba", "X_falcon"):
        np.testing.assert_array_equal(stored.obsm[name], adata.obsm[name])


def test_missing_genes_are_filled(planted: AnnData, model: fsc.Falcon, on_disk) -> None:
    adata = planted[:, planted.var_names != model.feature_names_in_[3]].copy()
    stored = on_disk(adata, "zarr")
    for cells in (adata, stored):
        with pytest.warns(UserWarning, match="filled with their mean"):
            fsc.tl.predict(cells, model, missing_genes="fill")
    np.testing.assert_array_equal(stored.obsm["falcon_proba"], adata.obsm["falcon_proba"])


def test_layer(planted: AnnData, model: fsc.Falcon, on_disk) -> None:
    expected = planted.copy()
    fsc.tl.predict(expected, model)
    stored = on_disk(planted, "zarr")
    stored.layers["counts"], stored.X = stored.X, None
    fsc.tl.predict(stored, model, layer="counts")
    np.testing.assert_array_equal(stored.obsm["falcon_proba"], expected.obsm["falcon_proba"])


def test_without_principal_components(planted: AnnData, on_disk, tmp_path: Path) -> None:
    """The network reads the chosen genes: they are loaded."""
    config = fsc.FalconConfig(start="random", n_pcs=None)
    quick = {"n_top_genes": 60, "config": config, "max_epochs": 2, "progress_bar": False, "device": "cpu"}
    expected = fsc.tl.discover(planted, "coarse", 6, copy=True, save_model=tmp_path / "model", **quick)
    stored = on_disk(planted, "backed")
    fsc.tl.discover(stored, "coarse", 6, **quick)
    np.testing.assert_array_equal(stored.obsm["falcon_proba"], expected.obsm["falcon_proba"])
    for cells in (expected, stored):
        fsc.tl.predict(cells, fsc.Falcon.load(tmp_path / "model", device="cpu"), key_added="again")
    np.testing.assert_array_equal(stored.obsm["again_proba"], expected.obsm["again_proba"])
