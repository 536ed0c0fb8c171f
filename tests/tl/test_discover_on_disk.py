"""Cells that stay on disk: the labels of the same cells in memory, from every way to store them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import falcon_sc as fsc
from falcon_sc._embeddings import read_embedding
from falcon_sc.tl._inputs import read_inputs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

N_FINE = {"B cell": 2, "CD4/CD8 T": 1, "µ glia": 1}  # numbers that are known: a start without a search for them
QUICK: dict[str, Any] = {"progress_bar": False, "device": "cpu", "max_epochs": 2, "n_top_genes": 100}

pytestmark = pytest.mark.filterwarnings("ignore:coarse_key='coarse' is missing")


def recoverable(counts: np.ndarray) -> np.ndarray:
    return np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))


def without_counts(counts: np.ndarray) -> np.ndarray:
    """No way back to the counts."""
    return recoverable(counts + np.random.default_rng(0).random(counts.shape) * (counts > 0))


FORMS = {"counts": np.asarray, "recoverable": recoverable, "without counts": without_counts}


@pytest.fixture(scope="module", params=list(FORMS))
def cells_and_expected(request: pytest.FixtureRequest, planted: AnnData) -> tuple[AnnData, AnnData]:
    """Cells in memory, some without a label, and what is found in them."""
    adata = planted.copy()
    adata.X = sparse.csr_matrix(FORMS[request.param](adata.X.toarray()).astype(np.float32))
    adata.obs.loc[adata.obs_names[5:9], "coarse"] = None
    return adata, fsc.tl.discover(adata, "coarse", N_FINE, copy=True, **QUICK)


def assert_same(found: AnnData, expected: AnnData) -> None:
    assert np.asarray(found.var["falcon_highly_variable"]).tolist() == expected.var["falcon_highly_variable"].tolist()
    fine, expected_fine = (np.asarray(adata.obs["falcon_fine"]).astype(str) for adata in (found, expected))
    assert fine.tolist() == expected_fine.tolist()
    np.testing.assert_array_equal(np.asarray(found.obs["falcon_confidence"]), expected.obs["falcon_confidence"])
    for name in ("falcon_proba", "X_falcon"):
        np.testing.assert_array_equal(found.obsm[name], expected.obsm[name])
    assert found.uns["falcon"]["params"]["assumed"] == expected.uns["falcon"]["params"]["assumed"]


def written(folder: Path) -> list[tuple[Path, int]]:
    return sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*"))


@pytest.mark.parametrize("store", ["backed", "zarr"])
@pytest.mark.parametrize("form", [sparse.csr_matrix, np.asarray], ids=["csr", "dense"])
def test_labels_are_those_in_memory(cells_and_expected, on_disk, store: str, form: Callable, tmp_path: Path) -> None:
    adata, expected = cells_and_expected
    adata = adata.copy()
    adata.X = form(adata.X.toarray())
    stored = on_disk(adata, store)
    before = written(tmp_path)
    fsc.tl.discover(stored, "coarse", N_FINE, **QUICK)
    assert_same(stored, expected)
    assert written(tmp_path) == before


def test_lazy_object_and_a_start_in_two_processes(cells_and_expected, on_disk, in_workers: list[str]) -> None:
    adata, expected = cells_and_expected
    stored = on_disk(adata, "lazy")
    fsc.tl.discover(stored, "coarse", N_FINE, n_jobs=2, **QUICK)
    assert_same(stored, expected)
    assert "fit_class" in in_workers


def test_whole_start(planted: AnnData, on_disk) -> None:
    """Numbers of fine classes that are searched for, in counts and in their halves."""
    expected = fsc.tl.discover(planted, "coarse", 6, copy=True, **QUICK)
    stored = on_disk(planted, "zarr")
    fsc.tl.discover(stored, "coarse", 6, **QUICK)
    assert_same(stored, expected)


def test_training_keeps_no_block_in_memory(planted: AnnData, on_disk) -> None:
    """A gigabyte, of a million cells."""
    known = np.ones(planted.n_obs, dtype=bool)
    stored = on_disk(planted, "zarr")
    inputs = read_inputs(stored, known=known, layer=None, use_rep=None, n_top_genes=100, batch=None)
    blocks = inputs.start.matrix.kept_blocks
    assert blocks.n_bytes > 0
    fsc.Falcon(N_FINE, fsc.FalconConfig(max_epochs=1), device="cpu").fit(
        inputs.features, planted.obs["coarse"], start_input=inputs.start
    )
    assert blocks.n_bytes == 0


def test_genes_across_batches(planted: AnnData, on_disk) -> None:
    keywords = QUICK | {"batch_key": "donor"}
    expected = fsc.tl.discover(planted, "coarse", N_FINE, copy=True, **keywords)
    stored = on_disk(planted, "zarr")
    fsc.tl.discover(stored, "coarse", N_FINE, **keywords)
    assert_same(stored, expected)


def test_continuous_values(planted: AnnData, on_disk) -> None:
    centered = planted.copy()
    centered.X = np.log1p(planted.X.toarray()) - np.float32(0.5)
    keywords = QUICK | {"values": "continuous", "batch_key": "donor"}
    expected = fsc.tl.discover(centered, "coarse", N_FINE, copy=True, **keywords)
    stored = on_disk(centered, "backed")
    fsc.tl.discover(stored, "coarse", N_FINE, **keywords)
    assert_same(stored, expected)


def test_a_copy_of_cells_on_disk(planted: AnnData, on_disk) -> None:
    stored = on_disk(planted, "zarr")
    found = fsc.tl.discover(stored, "coarse", N_FINE, copy=True, **QUICK)
    assert "falcon_fine" in found.obs
    assert "falcon_fine" not in stored.obs
    backed = on_disk(planted, "backed")
    with pytest.raises(ValueError, match="leave copy out"):
        fsc.tl.discover(backed, "coarse", N_FINE, copy=True, **QUICK)


def test_numbers_are_those_in_memory(planted: AnnData, on_disk) -> None:
    quick: dict[str, Any] = {"max_per_class": 2, "progress_bar": False, "n_jobs": 1}
    expected = fsc.tl.estimate_n_fine(planted, "coarse", copy=True, **quick).uns["falcon_n_fine"]
    stored = on_disk(planted, "backed")
    fsc.tl.estimate_n_fine(stored, "coarse", **quick)
    found = stored.uns["falcon_n_fine"]
    np.testing.assert_array_equal(found["support"], expected["support"])
    np.testing.assert_array_equal(found["support"], expected["support"])
    assert found["params"] == expected["params"]


def test_what_comes_after_a_run_takes_a_lazy_object_too(planted: AnnData, on_disk, tmp_path: Path) -> None:
    """Its columns are xarray's, which know other methods than those of pandas."""
    cells, lazy = planted.copy(), on_disk(planted, "lazy")
    for adata in (cells, lazy):
        fsc.tl.discover(adata, "coarse", N_FINE, save_model=tmp_path / type(adata.obs).__name__, **QUICK)
    steps: list[Callable[[AnnData], object]] = [
        lambda adata: fsc.tl.cut(adata, fixed={"B cell": 3}),
        lambda adata: fsc.tl.rename(adata, {adata.uns["falcon"]["fine_names"][0]: "first"}),
        lambda adata: fsc.tl.merge(adata, adata.uns["falcon"]["fine_names"][:2], "both"),
        lambda adata: fsc.tl.refine(adata, "B cell", 8, progress_bar=False),
    ]
    for step in steps:
        step(cells)
        step(lazy)
        found = lazy.obs.to_memory()
        for name in ("fine", "confidence", "leaf", "agreement"):
            pd.testing.assert_series_equal(found[f"falcon_{name}"], cells.obs[f"falcon_{name}"])
        np.testing.assert_array_equal(lazy.obsm["falcon_proba"], cells.obsm["falcon_proba"])
    for draw in (
        fsc.pl.tree,
        fsc.pl.relation,
        fsc.pl.confident,
        lambda adata: fsc.pl.flow(adata, "coarse", "falcon_fine"),
    ):
        labels = [[text.get_text() for text in draw(adata).texts] for adata in (cells, lazy)]
        assert labels[0] == labels[1]


@pytest.mark.parametrize("form", [np.asarray, pd.DataFrame, sparse.csr_matrix], ids=["dense", "table", "sparse"])
def test_a_lazy_embedding_in_every_form(planted: AnnData, on_disk, form: Callable) -> None:
    cells, scores = planted.copy(), np.random.default_rng(0).normal(size=(planted.n_obs, 3)).astype(np.float32)
    cells.obsm["X"] = form(scores, index=cells.obs_names, columns=list("abc")) if form is pd.DataFrame else form(scores)
    np.testing.assert_array_equal(read_embedding(on_disk(cells, "lazy"), "X"), scores)
