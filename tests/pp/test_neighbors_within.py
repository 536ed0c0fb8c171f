from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
import pytest
import scanpy as sc
from scipy import sparse
from sklearn.metrics import pairwise_distances

from falcon_sc.pp import neighbors_within, select_genes

if TYPE_CHECKING:
    from anndata import AnnData

DISTANCES, CONNECTIVITIES = "falcon_neighbors_distances", "falcon_neighbors_connectivities"


@pytest.fixture
def embedded(cells: AnnData) -> AnnData:
    cells.obsm["X_rep"] = np.random.default_rng(0).normal(size=(240, 8))
    return cells


def test_nearest_of_the_class(embedded: AnnData) -> None:
    neighbors_within(embedded, "coarse", n_neighbors=7, use_rep="X_rep")
    found = embedded.obsp[DISTANCES]
    assert isinstance(found, sparse.csr_matrix)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.getnnz(axis=1), 7)
    expected = pairwise_distances(embedded.obsm["X_rep"], metric="cosine")
    coarse = embedded.obs["coarse"].to_numpy()
    expected[coarse[:, None] != coarse] = np.inf
    np.fill_diagonal(expected, np.inf)
    np.testing.assert_allclose(np.sort(found.data.reshape(240, 7)), np.sort(expected)[:, :7], atol=1e-5)
    rows = np.repeat(np.arange(240), 7)
    np.testing.assert_allclose(found.data, expected[rows, found.indices], atol=1e-5)


def test_weights_are_umaps(embedded: AnnData) -> None:
    neighbors_within(embedded, "coarse", n_neighbors=7, use_rep="X_rep")
    weights = embedded.obsp[CONNECTIVITIES]
    assert weights.dtype == np.float32
    assert abs(weights - weights.T).max() == 0
    assert weights.data.min() > 0
    assert weights.data.max() <= 1
    coarse = embedded.obs["coarse"].to_numpy()
    row, column = weights.nonzero()
    assert (coarse[row] == coarse[column]).all()
    # the same graph from scanpy, which sees one class at a time
    one = embedded[coarse == "B cell"].copy()
    sc.pp.neighbors(one, n_neighbors=8, use_rep="X_rep", metric="cosine")
    here = weights[coarse == "B cell"][:, coarse == "B cell"]
    np.testing.assert_allclose(here.toarray(), one.obsp["connectivities"].toarray(), atol=1e-3)


def test_scanpy_uses_the_graph(embedded: AnnData) -> None:
    neighbors_within(embedded, "coarse", n_neighbors=7, use_rep="X_rep", key_added="inside")
    assert embedded.uns["inside"] == {
        "distances_key": "inside_distances",
        "connectivities_key": "inside_connectivities",
        "params": {
            "n_neighbors": 8, "method": "umap", "metric": "cosine", "coarse_key": "coarse", "use_rep": "X_rep",
            "falcon_sc": version("falcon-sc"),
        },
    }  # fmt: skip
    sc.tl.leiden(embedded, neighbors_key="inside", flavor="igraph", n_iterations=2, directed=False)
    assert embedded.obs.groupby("leiden", observed=True)["coarse"].nunique().max() == 1
    sc.tl.umap(embedded, neighbors_key="inside", maxiter=5)
    assert np.isfinite(embedded.obsm["X_umap"]).all()


def test_genes_are_those_selected(cells: AnnData) -> None:
    cells.layers["counts"] = cells.X.copy()
    neighbors_within(cells, "coarse", n_neighbors=5, key_added="all")
    select_genes(cells, n_top_genes=50)
    cells.X = -cells.X
    neighbors_within(cells, "coarse", n_neighbors=5, layer="counts", key_added="chosen")
    chosen = cells.layers["counts"].toarray()
    chosen = np.log1p(chosen / chosen.sum(axis=1, keepdims=True) * 1e4)[:, cells.var["falcon_highly_variable"]]
    expected = pairwise_distances(chosen, metric="cosine")
    found = cells.obsp["chosen_distances"].tocoo()
    np.testing.assert_allclose(found.data, expected[found.row, found.col], atol=1e-5)
    assert (cells.obsp["all_distances"] != cells.obsp["chosen_distances"]).nnz > 0


def test_continuous_values_as_they_are(cells: AnnData) -> None:
    values = np.random.default_rng(0).normal(size=cells.shape).astype(np.float32)
    cells.layers["z"], cells.obsm["X_z"] = values, values
    neighbors_within(cells, "coarse", n_neighbors=5, layer="z", values="continuous")
    neighbors_within(cells, "coarse", n_neighbors=5, use_rep="X_z", key_added="rep")
    assert (cells.obsp[DISTANCES] != cells.obsp["rep_distances"]).nnz == 0


def test_cells_without_label_and_lonely_cells(embedded: AnnData) -> None:
    labels = embedded.obs["coarse"].astype(object)
    labels.iloc[:10] = None
    labels.iloc[10] = "alone"
    labels.iloc[11:15] = "four"
    embedded.obs["labels"] = labels
    with pytest.warns(UserWarning, match=r"coarse_key='labels' is missing \(NA\) for 10 of 240 cells: they get no"):
        neighbors_within(embedded, "labels", n_neighbors=6, use_rep="X_rep")
    found = embedded.obsp[DISTANCES].getnnz(axis=1)
    np.testing.assert_array_equal(found[:11], 0)
    np.testing.assert_array_equal(found[11:15], 3)  # each other cell of the class once
    np.testing.assert_array_equal(found[15:], 6)
    assert embedded.obsp[CONNECTIVITIES][:11].nnz == 0


def test_copy(embedded: AnnData, fingerprint) -> None:
    before = fingerprint(embedded)
    result = neighbors_within(embedded, "coarse", use_rep="X_rep", copy=True)
    assert fingerprint(embedded) == before
    assert DISTANCES in result.obsp


@pytest.mark.parametrize(
    ("key", "options", "error", "message"),
    [
        ("lineage", {}, KeyError, "coarse_key='lineage' is not a column"),
        ("coarse", {"n_neighbors": 0}, ValueError, "n_neighbors must be at least 1"),
        ("coarse", {"use_rep": "X_pca"}, KeyError, "use_rep='X_pca' is not in adata.obsm"),
        ("coarse", {"use_rep": "X_rep", "layer": "counts"}, ValueError, "were both given: choose one"),
        ("coarse", {"use_rep": "X_rep", "values": "counts"}, ValueError, "values='counts' were both given"),
        ("coarse", {"layer": "counts"}, KeyError, "layer='counts' is not in adata.layers"),
    ],
)
def test_errors(embedded: AnnData, fingerprint, key, options, error, message) -> None:
    before = fingerprint(embedded)
    with pytest.raises(error, match=message):
        neighbors_within(embedded, key, **options)
    assert fingerprint(embedded) == before


def test_marks_that_are_no_marks(cells: AnnData) -> None:
    cells.var["falcon_highly_variable"] = [True, None] * 80  # as concat leaves it for genes of one object only
    with pytest.raises(
        ValueError, match=r"adata\.var\['falcon_highly_variable'\] is missing \(NA\) for 80 of 160 genes"
    ):
        neighbors_within(cells, "coarse")
    cells.var["falcon_highly_variable"] = ["True", "False"] * 80
    with pytest.raises(ValueError, match="holds 'True', which is neither True nor False"):
        neighbors_within(cells, "coarse")
    cells.var["falcon_highly_variable"] = False
    with pytest.raises(ValueError, match="marks no gene"):
        neighbors_within(cells, "coarse")


def test_on_disk(planted: AnnData, on_disk) -> None:
    expected = neighbors_within(planted, "coarse", n_neighbors=5, copy=True)
    stored = on_disk(planted, "backed")
    neighbors_within(stored, "coarse", n_neighbors=5)
    assert (stored.obsp[DISTANCES] != expected.obsp[DISTANCES]).nnz == 0


def test_classes_of_one_cell_each(cells: AnnData) -> None:
    """Nobody has a neighbor: a graph without edges, not an error."""
    cells = cells[:4].copy()
    cells.obs["alone"] = list("abcd")
    neighbors_within(cells, "alone")
    for kind in ("distances", "connectivities"):
        graph = cells.obsp[f"falcon_neighbors_{kind}"]
        assert (graph.shape, graph.nnz, graph.dtype) == ((4, 4), 0, np.float32)


def test_a_lazy_object_is_searched_in_its_marked_genes(cells: AnnData, on_disk) -> None:
    """The mark is a column of xarray there."""
    cells.var["falcon_highly_variable"] = np.arange(cells.n_vars) < 40
    lazy = on_disk(cells, "lazy")
    for adata in (cells, lazy):
        neighbors_within(adata, "coarse")
    assert (lazy.obsp["falcon_neighbors_distances"] != cells.obsp["falcon_neighbors_distances"]).nnz == 0
