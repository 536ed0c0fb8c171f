from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest
import scanpy as sc
from anndata import AnnData
from scipy import sparse

from falcon_sc.pp import select_genes
from falcon_sc.tl import discover

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMN = "falcon_highly_variable"


def _log_normalized(adata: AnnData) -> AnnData:
    values = adata.X.toarray()
    return AnnData(sparse.csr_matrix(np.log1p(values / values.sum(axis=1, keepdims=True) * 1e4)), obs=adata.obs)


def test_same_genes_as_scanpy(cells: AnnData) -> None:
    select_genes(cells, n_top_genes=50)
    table = sc.pp.highly_variable_genes(cells, flavor="seurat_v3", n_top_genes=50, inplace=False)
    assert cells.var[COLUMN].dtype == bool
    assert cells.var[COLUMN].sum() == 50
    np.testing.assert_array_equal(cells.var[COLUMN], table["highly_variable"])


def test_batches_have_a_say(cells: AnnData) -> None:
    select_genes(cells, n_top_genes=50, batch_key="donor", key_added="by_donor")
    table = sc.pp.highly_variable_genes(cells, flavor="seurat_v3", n_top_genes=50, batch_key="donor", inplace=False)
    np.testing.assert_array_equal(cells.var["by_donor"], table["highly_variable"])


def test_a_batch_too_small_for_the_regression(cells: AnnData, caplog: pytest.LogCaptureFixture) -> None:
    cells.obs["batch"] = np.where(np.arange(240) < 2, "few", "many")
    with caplog.at_level(logging.INFO, "falcon_sc"):
        select_genes(cells, n_top_genes=50, batch_key="batch")
    assert cells.var[COLUMN].sum() == 50
    assert "trying a wider one" in caplog.text


@pytest.mark.parametrize("kind", ["counts", "logarithms", "continuous"])
def test_a_batch_of_one_cell_is_left_out_with_one_line(cells: AnnData, caplog: pytest.LogCaptureFixture, kind) -> None:
    """Warnings are errors here: scanpy gives four of them for such a batch (Group counts matches dof, ...)."""
    if kind != "counts":
        cells = _log_normalized(cells)
    if kind == "continuous":
        cells.X.data *= np.random.default_rng(0).uniform(0.9, 1.1, cells.X.nnz).astype(np.float32)
    cells.obs["lone"] = ["alone", *cells.obs["donor"].astype(str)[1:]]
    with caplog.at_level(logging.INFO, "falcon_sc"):
        select_genes(cells, n_top_genes=50, batch_key="lone")
    assert [line for line in caplog.messages if "batches" in line] == [
        "1 of 3 batches have a single cell, and no say in which genes are chosen"
    ]
    others = cells[1:].copy()
    select_genes(others, n_top_genes=50, batch_key="donor")
    np.testing.assert_array_equal(cells.var[COLUMN], others.var[COLUMN])


def test_recovered_counts_are_said_once(cells: AnnData, caplog: pytest.LogCaptureFixture, quick) -> None:
    """Not again of the cells that have a say in the genes."""
    logarithms = _log_normalized(cells)
    logarithms.obs["lone"] = ["alone", *cells.obs["donor"].astype(str)[1:]]
    with caplog.at_level(logging.INFO, "falcon_sc"):
        discover(logarithms, "coarse", 6, n_top_genes=50, batch_key="lone", **quick)
    assert caplog.text.count("raw counts were recovered") == 1


def test_batches_of_one_cell_but_one(cells: AnnData) -> None:
    cells.obs["lone"] = ["alone", *["together"] * 239]
    select_genes(cells, n_top_genes=50, batch_key="lone")
    others = cells[1:].copy()
    select_genes(others, n_top_genes=50)
    np.testing.assert_array_equal(cells.var[COLUMN], others.var[COLUMN])


def test_no_batch_with_two_cells_is_left(cells: AnnData, caplog: pytest.LogCaptureFixture, quick) -> None:
    """The cells with a coarse label are of donors of their own; the column as a whole is a good one."""
    cells.obs["lone"] = [*map(str, range(120)), *["together"] * 120]
    cells.obs.loc[cells.obs["lone"] == "together", "coarse"] = None
    with caplog.at_level(logging.INFO, "falcon_sc"), pytest.warns(UserWarning, match="missing"):
        discover(cells, "coarse", 6, n_top_genes=50, batch_key="lone", **quick)
    assert "each of the 120 batches has a single cell: genes are chosen over all cells alike" in caplog.text


def test_logarithms_give_the_genes_of_their_counts(cells: AnnData) -> None:
    logarithms = _log_normalized(cells)
    select_genes(cells, n_top_genes=50)
    select_genes(logarithms, n_top_genes=50)
    np.testing.assert_array_equal(cells.var[COLUMN], logarithms.var[COLUMN])


@pytest.mark.parametrize("batch_key", [None, "donor"])
def test_without_counts(cells: AnnData, caplog: pytest.LogCaptureFixture, batch_key: str | None) -> None:
    smooth = _log_normalized(cells)
    smooth.X.data *= np.random.default_rng(0).uniform(0.9, 1.1, smooth.X.nnz).astype(np.float32)
    with caplog.at_level(logging.INFO, "falcon_sc"):
        select_genes(smooth, n_top_genes=50, batch_key=batch_key)
    assert smooth.var[COLUMN].sum() == 50
    assert "no counts: highly variable genes by scanpy's flavor 'seurat'" in caplog.text


@pytest.mark.parametrize("flavor", [np.asarray, sparse.csc_matrix, sparse.csr_array])
def test_every_flavor(cells: AnnData, flavor) -> None:
    select_genes(cells, n_top_genes=50)
    other = AnnData(flavor(cells.X.toarray() if flavor is np.asarray else cells.X))
    select_genes(other, n_top_genes=50)
    np.testing.assert_array_equal(cells.var[COLUMN], other.var[COLUMN])


@pytest.mark.parametrize("n_top_genes", [160, 2000])
def test_panels_keep_all_expressed_genes(cells: AnnData, caplog: pytest.LogCaptureFixture, n_top_genes: int) -> None:
    values = cells.X.toarray()
    values[:, [3, 8]] = 0
    cells.X = sparse.csr_matrix(values)
    with caplog.at_level(logging.INFO, "falcon_sc"):
        select_genes(cells, n_top_genes=n_top_genes)
    assert cells.var_names[~cells.var[COLUMN]].tolist() == ["gene3", "gene8"]
    assert f"all 158 expressed genes are used: no more than n_top_genes={n_top_genes}" in caplog.text


def test_genes_of_zeros_are_never_chosen(cells: AnnData) -> None:
    values = cells.X.toarray()
    values[:, :60] = 0
    cells.X = values
    select_genes(cells, n_top_genes=90)
    assert cells.var[COLUMN].sum() == 90
    assert not cells.var[COLUMN][:60].any()


def test_poor_cells_and_rare_genes_are_counted_and_kept(caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng(0)
    values = rng.poisson(5, (12, 300)).astype(np.float32)
    values[0, 150:] = 0
    values[4:, 7] = 0
    adata = AnnData(values)
    with caplog.at_level(logging.INFO, "falcon_sc"):
        select_genes(adata, n_top_genes=400)
    assert adata.shape == (12, 300)
    assert "1 of 12 cells have fewer than 200 of the 300 genes; kept" in caplog.text
    assert "1 of 300 genes are found in fewer than 5 cells; kept" in caplog.text


@pytest.mark.parametrize("flavor", [np.asarray, sparse.csr_matrix])
def test_continuous_values_by_their_variance_inside_batches(cells: AnnData, flavor) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0, np.linspace(1, 2, 160), cells.shape)
    values[:, 5] = -3  # constant
    values[:, 0] += 20 * (cells.obs["donor"] == "d1")  # varies between donors only
    cells.X = flavor(values)
    select_genes(cells, n_top_genes=30, values="continuous", batch_key="donor")
    within = sum(values[cells.obs["donor"] == donor].var(axis=0) for donor in ("d1", "d2"))
    np.testing.assert_array_equal(np.flatnonzero(cells.var[COLUMN]), np.sort(np.argsort(-within)[:30]))
    select_genes(cells, n_top_genes=30, values="continuous")
    assert cells.var[COLUMN].iloc[0]
    select_genes(cells, n_top_genes=500, values="continuous")
    np.testing.assert_array_equal(np.flatnonzero(~cells.var[COLUMN]), [5])


def test_corrected_counts(cells: AnnData) -> None:
    """Warnings are errors, and scanpy has one for them."""
    cells.X = cells.X * 0.31
    select_genes(cells, n_top_genes=50, values="counts")
    assert cells.var[COLUMN].sum() == 50


def test_layer(cells: AnnData) -> None:
    cells.layers["counts"] = cells.X.copy()
    select_genes(cells, n_top_genes=50, key_added="expected")
    cells.X = -cells.X
    select_genes(cells, n_top_genes=50, layer="counts")
    np.testing.assert_array_equal(cells.var[COLUMN], cells.var["expected"])


def test_copy(cells: AnnData, fingerprint: Callable[[AnnData], bytes]) -> None:
    before = fingerprint(cells)
    result = select_genes(cells, n_top_genes=50, copy=True)
    assert fingerprint(cells) == before
    assert result.var[COLUMN].sum() == 50
    view = select_genes(cells[:200], n_top_genes=50, copy=True)
    assert view.shape == (200, 160)
    assert not view.is_view


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_top_genes": 0}, ValueError, "n_top_genes must be at least 1"),
        ({"n_top_genes": 0.1}, TypeError, "n_top_genes must be an int"),
        ({"layer": "raw"}, KeyError, "layer='raw' is not in adata.layers"),
        ({"batch_key": "lane"}, KeyError, "batch_key='lane' is not a column"),
        ({"batch_key": "holes"}, ValueError, r"batch_key='holes' is missing \(NA\) for 1 cells"),
        ({"batch_key": "barcode"}, ValueError, "batch_key='barcode' has another value for each of the 240 cells"),
        ({"values": "tpm"}, ValueError, "values must be None or one of 'counts', 'lognorm', 'continuous', found 'tpm'"),
        ({"values": "lognorm"}, ValueError, "values='lognorm' cannot be"),
        ({"key_added": "a/b"}, ValueError, "key_added"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_errors(cells: AnnData, fingerprint, options, error, message) -> None:
    cells.obs["holes"] = [None, *["a"] * 239]
    cells.obs["barcode"] = cells.obs_names
    before = fingerprint(cells)
    with pytest.raises(error, match=message):
        select_genes(cells, **options)
    assert fingerprint(cells) == before


@pytest.mark.parametrize("batch_key", [None, "donor"])
def test_on_disk(planted: AnnData, on_disk, batch_key: str | None) -> None:
    expected = select_genes(planted, n_top_genes=50, batch_key=batch_key, copy=True)
    stored = on_disk(planted, "backed")
    select_genes(stored, n_top_genes=50, batch_key=batch_key)
    assert stored.var.equals(expected.var)
