from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from anndata import AnnData
from scipy import sparse

import falcon_sc as fsc

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def trained(planted: AnnData, tmp_path_factory: pytest.TempPathFactory) -> tuple[AnnData, fsc.Falcon]:
    """The first 200 cells after `discover`, and the model that it saved."""
    path = tmp_path_factory.mktemp("trained") / "deep" / "model"
    cells = planted[:200].copy()
    fsc.tl.discover(
        cells, "coarse", 6, n_top_genes=80, max_epochs=80, save_model=path, progress_bar=False, device="cpu"
    )
    return cells, fsc.Falcon.load(path, device="cpu")


def test_training_cells_get_their_labels_again(trained) -> None:
    cells, model = trained
    again = cells.copy()
    fsc.tl.predict(again, model, coarse_key="coarse", key_added="again")
    assert again.obs["again_fine"].equals(cells.obs["falcon_fine"])
    np.testing.assert_allclose(again.obsm["again_proba"], cells.obsm["falcon_proba"], atol=1e-5)
    np.testing.assert_allclose(again.obsm["X_again"], cells.obsm["X_falcon"], atol=1e-4)
    np.testing.assert_array_equal(again.var["again_highly_variable"], cells.var["falcon_highly_variable"])


def test_new_cells(trained, planted: AnnData) -> None:
    cells, model = trained
    new = planted[200:].copy()
    assert fsc.tl.predict(new, model, coarse_key="coarse") is None
    assert new.obs["falcon_fine"].cat.categories.equals(cells.obs["falcon_fine"].cat.categories)
    assert new.obs["falcon_fine"].notna().all()
    parent = new.obs["falcon_fine"].astype(str).str.rpartition(":")[0]
    np.testing.assert_array_equal(parent, new.obs["coarse"].astype(str))
    np.testing.assert_allclose(new.obsm["falcon_proba"].sum(axis=1), 1, atol=1e-6)
    assert new.obs["falcon_confidence"].dtype == np.float32
    for name in ("M", "fine_names", "coarse_names"):
        np.testing.assert_array_equal(new.uns["falcon"][name], cells.uns["falcon"][name])
    assert new.uns["falcon"]["params"]["predicted"] is True
    fsc.pl.relation(new)


def test_without_coarse_labels(trained, planted: AnnData) -> None:
    _, model = trained
    new = planted[200:].copy()
    fsc.tl.predict(new, model)
    parent = new.obs["falcon_fine"].astype(str).str.rpartition(":")[0]
    assert (parent == new.obs["coarse"].astype(str)).mean() > 0.8  # not forced, but learnt
    some = planted[200:].copy()
    some.obs.loc[some.obs_names[:15], "coarse"] = None
    fsc.tl.predict(some, model, coarse_key="coarse")
    np.testing.assert_array_equal(some.obsm["falcon_proba"][:15], new.obsm["falcon_proba"][:15])
    assert some.obs["falcon_fine"].notna().all()


@pytest.mark.parametrize("change", ["order", "more genes", "logarithms", "dense", "csc"])
def test_what_does_not_matter(trained, planted: AnnData, change: str) -> None:
    _, model = trained
    new = planted[200:].copy()
    other = new.copy()
    match change:
        case "order":
            other = other[:, ::-1].copy()
        case "more genes":
            extra = AnnData(sparse.csr_matrix((40, 3)), obs=other.obs[[]])
            extra.var_names = ["a", "b", "c"]
            import anndata

            other = anndata.concat([extra, other], axis=1, merge="first")
        case "logarithms":
            values = other.X.toarray()
            other.X = np.log1p(values / values.sum(axis=1, keepdims=True) * 1e4)
        case "dense":
            other.X = other.X.toarray()
        case "csc":
            other.X = other.X.tocsc()
    fsc.tl.predict(new, model)
    fsc.tl.predict(other, model)
    np.testing.assert_allclose(other.obsm["falcon_proba"], new.obsm["falcon_proba"], atol=1e-4)


def test_a_single_cell(trained, planted: AnnData) -> None:
    _, model = trained
    one, several = planted[210:211].copy(), planted[200:].copy()
    fsc.tl.predict(one, model, coarse_key="coarse")
    fsc.tl.predict(several, model, coarse_key="coarse")
    np.testing.assert_allclose(one.obsm["falcon_proba"][0], several.obsm["falcon_proba"][10], atol=1e-5)


def test_copy(trained, planted: AnnData, fingerprint) -> None:
    _, model = trained
    new = planted[200:].copy()
    before = fingerprint(new)
    result = fsc.tl.predict(new, model, coarse_key="coarse", copy=True)
    assert fingerprint(new) == before
    assert "falcon_fine" in result.obs
    assert not fsc.tl.predict(planted[200:], model, copy=True).is_view


def test_embedding(cells: AnnData, quick, tmp_path: Path) -> None:
    cells.obsm["X_rep"] = np.random.default_rng(0).normal(size=(240, 10))
    fsc.tl.discover(cells, "coarse", 6, use_rep="X_rep", save_model=tmp_path / "m", **quick)
    model = fsc.Falcon.load(tmp_path / "m", device="cpu")
    again = fsc.tl.predict(cells, model, coarse_key="coarse", use_rep="X_rep", copy=True)
    assert again.obs["falcon_fine"].equals(cells.obs["falcon_fine"])
    assert "falcon_highly_variable" not in again.var
    with pytest.raises(ValueError, match=r"trained on an embedding \('X_rep'\), not on genes: give use_rep"):
        fsc.tl.predict(cells, model)
    cells.obsm["X_more"] = np.ones((240, 11))
    with pytest.raises(ValueError, match="use_rep='X_more' has 11 dimensions, the model was trained on 10"):
        fsc.tl.predict(cells, model, use_rep="X_more")


def test_several_data_sets(cells: AnnData, quick, tmp_path: Path) -> None:
    cells.obs["lab"] = np.where(np.arange(240) % 2, "one", "two")
    fsc.tl.discover(cells, "coarse", 6, dataset_key="lab", save_model=tmp_path / "m", **quick)
    model = fsc.Falcon.load(tmp_path / "m", device="cpu")
    again = fsc.tl.predict(cells, model, coarse_key="coarse", dataset_key="lab", copy=True)
    assert again.obs["falcon_fine"].equals(cells.obs["falcon_fine"])
    half = cells[cells.obs["lab"] == "two"].copy()
    fsc.tl.predict(half, model, coarse_key="coarse", dataset_key="lab")
    assert half.obs["falcon_fine"].equals(cells.obs["falcon_fine"][cells.obs["lab"] == "two"])
    with pytest.raises(ValueError, match="trained on the data sets 'one', 'two': say with dataset_key"):
        fsc.tl.predict(cells, model, coarse_key="coarse")
    cells.obs["lab"] = "three"
    with pytest.raises(ValueError, match="dataset_key='lab' holds 'three', the model knows 'one', 'two'"):
        fsc.tl.predict(cells, model, coarse_key="coarse", dataset_key="lab")


MISTAKES = {
    "no such column": ({"coarse_key": "celltype"}, KeyError, "coarse_key='celltype' is not a column"),
    "unknown label": ({"coarse_key": "renamed"}, ValueError, "does not know: 'Mono'. It knows 'B cell'"),
    "layer": ({"layer": "raw"}, KeyError, "layer='raw' is not in adata.layers"),
    "scaled": ({"layer": "scaled"}, ValueError, "'scaled'.* holds negative values"),
    "embedding": ({"use_rep": "X_pca"}, ValueError, "the model was trained on genes: leave it out"),
    "both": ({"use_rep": "X_pca", "layer": "scaled"}, ValueError, "were both given"),
    "key": ({"key_added": "a/b"}, ValueError, "key_added"),
    "model": ({"model": "path/to/model"}, TypeError, r"found str: load one with falcon_sc\.Falcon\.load"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(trained, cells: AnnData, fingerprint, mistake: str) -> None:
    cells.obs["renamed"] = cells.obs["coarse"].astype(str).replace("µ glia", "Mono")
    cells.layers["scaled"] = cells.X.toarray() - 1
    cells.obsm["X_pca"] = np.ones((240, 4))
    options, error, message = MISTAKES[mistake]
    before = fingerprint(cells)
    with pytest.raises(error, match=message):
        fsc.tl.predict(cells, **({"model": trained[1]} | options))
    assert fingerprint(cells) == before


def test_model_not_fitted(cells: AnnData) -> None:
    with pytest.raises(TypeError, match="model is not fitted"):
        fsc.tl.predict(cells, fsc.Falcon(6))


def test_missing_genes(trained, planted: AnnData) -> None:
    cells, model = trained
    used = cells.var_names[cells.var["falcon_highly_variable"]]
    with pytest.raises(ValueError, match=f"2 of the 80 genes of the model are not in adata.var_names: '{used[0]}', '"):
        fsc.tl.predict(planted[:, ~planted.var_names.isin(used[:2])].copy(), model)
    other = planted.copy()
    other.var_names = [f"ENSG{i}" for i in range(160)]
    with pytest.raises(ValueError, match=r"80 of the 80 genes.* and 60 more"):
        fsc.tl.predict(other, model)
    other.var_names = ["twice", "twice", *planted.var_names[2:]]
    with pytest.raises(ValueError, match="var_names_make_unique"):
        fsc.tl.predict(other, model)
    with pytest.raises(ValueError, match=r"adata is a view"):
        fsc.tl.predict(planted[:10], model)
