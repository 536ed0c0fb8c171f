"""Cells that stay on disk: the labels of the same cells in memory, from every way to store them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pytest
from scipy import sparse

import falcon_sc as fsc

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

pytest.importorskip("dask", reason="the extra `disk` is not installed")
pytest.importorskip("xarray", reason="anndata.experimental.read_lazy needs it")

N_FINE = {"B cell": 2, "CD4/CD8 T": 1, "µ glia": 1}  # numbers that are known: a start without a search for them
QUICK = {"progress_bar": False, "device": "cpu", "max_epochs": 2, "n_top_genes": 100}


def log_normalized(counts: AnnData) -> AnnData:
    """Without a way back to the counts: the same depth for all, and values that were smoothed a little."""
    adata = counts.copy()
    rates = adata.X.toarray() + np.random.default_rng(0).random(adata.shape) * (adata.X.toarray() > 0)
    adata.X = sparse.csr_matrix(np.log1p(1e4 * rates / rates.sum(axis=1, keepdims=True)).astype(np.float32))
    return adata


def backed(adata: AnnData, folder: Path) -> AnnData:
    adata.write_h5ad(folder / "cells.h5ad")
    return anndata.read_h5ad(folder / "cells.h5ad", backed="r")


def lazy(adata: AnnData, folder: Path) -> AnnData:
    """Seven chunks of a zarr store."""
    store = zarr_store(adata, folder)
    return with_dask(adata, store)


def zarr_store(adata: AnnData, folder: Path) -> Path:
    store = folder / "cells.zarr"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Writing zarr v2 data")
        adata.write_zarr(store)
    return store


def with_dask(adata: AnnData, store: Path) -> AnnData:
    import zarr

    elem = zarr.open_group(store, mode="r")["X"]
    X = anndata.experimental.read_elem_lazy(elem, chunks=(37, adata.n_vars))
    return anndata.AnnData(X, obs=adata.obs.copy(), var=adata.var.copy())


@pytest.fixture(scope="module", params=["counts", "lognorm"])
def cells_and_labels(request: pytest.FixtureRequest, planted: AnnData) -> tuple[AnnData, AnnData]:
    """Cells in memory, and what is found in them."""
    adata = planted.copy() if request.param == "counts" else log_normalized(planted)
    adata.obs.loc[adata.obs_names[5:9], "coarse"] = None
    with pytest.warns(UserWarning, match="missing"):
        return adata, fsc.tl.discover(adata, "coarse", N_FINE, copy=True, **QUICK)


def assert_same(found: AnnData, expected: AnnData) -> None:
    np.testing.assert_array_equal(found.var["falcon_highly_variable"], expected.var["falcon_highly_variable"])
    assert found.obs["falcon_fine"].astype(str).tolist() == expected.obs["falcon_fine"].astype(str).tolist()
    np.testing.assert_array_equal(found.obs["falcon_confidence"], expected.obs["falcon_confidence"])
    for name in ("falcon_proba", "X_falcon"):
        np.testing.assert_array_equal(found.obsm[name], expected.obsm[name])


@pytest.mark.filterwarnings("ignore:coarse_key='coarse' is missing")
@pytest.mark.parametrize("store", [backed, lazy])
@pytest.mark.parametrize("form", [sparse.csr_matrix, np.asarray], ids=["csr", "dense"])
def test_labels_are_those_in_memory(
    cells_and_labels: tuple[AnnData, AnnData], store: Callable[[AnnData, Path], AnnData], form: Callable, tmp_path: Path
) -> None:
    adata, expected = cells_and_labels
    adata = adata.copy()
    adata.X = form(adata.X.toarray())
    on_disk = store(adata, tmp_path)
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    fsc.tl.discover(on_disk, "coarse", N_FINE, **QUICK)
    assert_same(on_disk, expected)
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before
    if on_disk.isbacked:
        on_disk.file.close()
