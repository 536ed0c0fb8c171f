"""A model follows the object it is told to follow: two ways on from one file, or back to a copy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import falcon_sc as fsc

if TYPE_CHECKING:
    from anndata import AnnData


@pytest.fixture
def found(planted: AnnData, tmp_path: Path) -> AnnData:
    adata = planted.copy()
    fsc.tl.discover(
        adata,
        "coarse",
        9,
        n_top_genes=80,
        max_epochs=5,
        save_model=tmp_path / "model",
        progress_bar=False,
        device="cpu",
    )
    return adata


def check_agreement(adata: AnnData, model: fsc.Falcon) -> None:
    np.testing.assert_array_equal(model.fine_names_, adata.uns["falcon"]["fine_names"])
    again = fsc.tl.predict(adata, model, coarse_key="coarse", key_added="again", copy=True)
    np.testing.assert_allclose(again.obsm["again_proba"], adata.obsm["falcon_proba"], atol=1e-5)


def test_another_cut_from_the_same_file(found: AnnData) -> None:
    """First one number, then from the file again another: the model is told by which object it goes."""
    path = Path(found.uns["falcon"]["params"]["saved_model"])
    first, second = found.copy(), found.copy()
    fsc.tl.cut(first, 11)
    with pytest.warns(UserWarning, match=rf"has other decisions .* give model='{path}'"):
        fsc.tl.cut(second, 7)
    assert len(fsc.Falcon.load(path).fine_names_) == 11
    fsc.tl.rename(second, {str(second.uns["falcon"]["fine_names"][0]): "mine"}, model=path)
    check_agreement(second, fsc.Falcon.load(path, device="cpu"))
    fitted = fsc.Falcon.load(path, device="cpu")
    del first.uns["falcon"]["params"]["saved_model"]
    fsc.tl.merge(first, [name for name in first.uns["falcon"]["fine_names"] if name.startswith("B")][:2], model=fitted)
    check_agreement(first, fitted)


def test_a_model_in_memory_says_the_same_of_its_samples(planted: AnnData) -> None:
    from falcon_sc.tl._run import run

    adata = planted.copy()
    keywords = {"n_top_genes": 80, "keywords": {"max_epochs": 5}, "progress_bar": False, "device": "cpu"}
    model, _ = run(adata, "coarse", 9, **keywords)
    back = adata.copy()
    fsc.tl.cut(adata, 11, model=model)
    fsc.tl.cut(back, 7, model=model)
    np.testing.assert_array_equal(model.proba_, back.obsm["falcon_proba"])
    assert (model.fine_names_[model.labels_] == back.obs["falcon_fine"].astype(str)).all()


def test_what_a_refinement_changed_cannot_be_undone(found: AnnData, fingerprint) -> None:
    path = Path(found.uns["falcon"]["params"]["saved_model"])
    deep = found.copy()
    fsc.tl.refine(deep, "B cell", 12, progress_bar=False)
    before, names = fingerprint(found), fsc.Falcon.load(path).fine_names_.tolist()
    with pytest.raises(ValueError, match=r"other decisions .* a refinement among them, which cannot be undone"):
        fsc.tl.cut(found, 7, model=path)
    assert fingerprint(found) == before
    assert fsc.Falcon.load(path).fine_names_.tolist() == names


def test_a_refinement_after_other_decisions(found: AnnData) -> None:
    path = Path(found.uns["falcon"]["params"]["saved_model"])
    fsc.tl.cut(found.copy(), 11)
    with pytest.raises(ValueError, match=rf"has other decisions .* give model='{path}'"):
        fsc.tl.refine(found, "B cell", 12, progress_bar=False)
    fsc.tl.refine(found, "B cell", 12, progress_bar=False, model=path)
    np.testing.assert_array_equal(fsc.Falcon.load(path).fine_names_, found.uns["falcon"]["fine_names"])


def test_no_model_follows_where_one_cannot(found: AnnData, full_disk, fingerprint) -> None:
    """Whatever the order: the model in memory is told when the folder is written."""
    model = fsc.Falcon.load(found.uns["falcon"]["params"]["saved_model"], device="cpu")
    before, names = fingerprint(found), model.fine_names_.tolist()
    with full_disk(), pytest.raises(OSError, match="File too large"):
        fsc.tl.cut(found, 7, model=model)
    assert fingerprint(found) == before
    assert model.fine_names_.tolist() == names


@pytest.mark.parametrize("trained_on", ["counts", "logarithms"])
def test_a_matrix_that_was_normalized_since(planted: AnnData, tmp_path: Path, trained_on: str) -> None:
    """As for a UMAP, in place: the model reads the values that it was trained on, whatever the object holds by then."""
    import scanpy as sc

    logarithms = planted.copy()
    sc.pp.normalize_total(logarithms, target_sum=1e6)
    sc.pp.log1p(logarithms)
    before, later = (planted, logarithms) if trained_on == "counts" else (logarithms, planted)
    adata = before.copy()
    options = {"n_top_genes": 80, "max_epochs": 5, "progress_bar": False, "device": "cpu"}
    fsc.tl.discover(adata, "coarse", 9, save_model=tmp_path / "model", **options)
    adata.X = later.X.copy()
    fsc.tl.refine(adata, "B cell", 8, progress_bar=False)
    again = before.copy()
    fsc.tl.predict(again, fsc.Falcon.load(tmp_path / "model", device="cpu"), coarse_key="coarse")
    own = (adata.obs["coarse"] == "B cell").to_numpy()
    assert (again.obs["falcon_fine"].astype(str) == adata.obs["falcon_fine"].astype(str))[own].mean() > 0.95
