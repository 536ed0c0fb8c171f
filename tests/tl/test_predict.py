from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

import falcon_sc as fsc
from falcon_sc.core.state.decisions import from_table

if TYPE_CHECKING:
    from collections.abc import Callable
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


def test_the_tree_and_the_decisions_of_a_run_are_not_lost(trained, fingerprint) -> None:
    cells, model = trained[0].copy(), fsc.Falcon.load(trained[0].uns["falcon"]["params"]["saved_model"], device="cpu")
    before = fingerprint(cells)
    with pytest.raises(
        ValueError, match=r"overwrite adata\.uns\['falcon'\]\['tree'\].*give another key_added, such as 'falcon_2'"
    ):
        fsc.tl.predict(cells, model)
    assert fingerprint(cells) == before
    del cells.uns["falcon"]["params"]["saved_model"], cells.uns["falcon"]["tree"]
    fsc.tl.rename(cells, {"B cell:0": "naive B"})
    with pytest.raises(
        ValueError, match=r"\['falcon'\]\['decisions'\], decisions about the classes that the model does not know"
    ):
        fsc.tl.predict(cells, model)
    model.decide(from_table(cells.uns["falcon"]["decisions"]))
    fsc.tl.predict(cells, model)
    fsc.tl.predict(cells, model)  # its own result
    assert "naive B" in cells.obs["falcon_fine"].cat.categories
    assert "falcon_leaf" not in cells.obs


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
    assert (parent == new.obs["coarse"].astype(str)).mean() > 0.8  # not forced, but learned
    some = planted[200:].copy()
    some.obs.loc[some.obs_names[:15], "coarse"] = None
    fsc.tl.predict(some, model, coarse_key="coarse")
    np.testing.assert_array_equal(some.obsm["falcon_proba"][:15], new.obsm["falcon_proba"][:15])
    assert some.obs["falcon_fine"].notna().all()


@pytest.mark.parametrize("labels", [None, pd.Categorical([None] * 40, categories=["B cell"]), np.nan], ids=type)
def test_a_column_without_a_label_is_as_none(trained, planted: AnnData, labels) -> None:
    """One of many files, in a loop, may have no label at all."""
    new, free = planted[200:].copy(), planted[200:].copy()
    new.obs["coarse"] = labels
    fsc.tl.predict(new, trained[1], coarse_key="coarse")
    fsc.tl.predict(free, trained[1])
    assert new.obs["falcon_fine"].equals(free.obs["falcon_fine"])


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


def test_columns_of_an_embedding_go_by_their_names(cells: AnnData, quick, tmp_path: Path) -> None:
    """Like genes; the numbers of another column were taken without a word."""
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(240, 4)), index=cells.obs_names, columns=list("abcd"))
    cells.obsm["proteins"] = table
    fsc.tl.discover(cells, "coarse", 6, use_rep="proteins", save_model=tmp_path / "m", **quick)
    model = fsc.Falcon.load(tmp_path / "m", device="cpu")
    for same in (table[list("dbac")], table.assign(e=1.0), table.to_numpy(), table.set_axis(range(4), axis=1)):
        new = cells.copy()
        new.obsm["proteins"] = same
        fsc.tl.predict(new, model, coarse_key="coarse", use_rep="proteins", key_added="new")
        np.testing.assert_array_equal(new.obsm["new_proba"], cells.obsm["falcon_proba"])
    cells.obsm["proteins"] = table.rename(columns={"b": "B", "d": "D"})
    with pytest.raises(
        ValueError, match=r"use_rep='proteins' has no columns 'b', 'd', .*it has 'a', 'B', 'c', 'D'\..*\.to_numpy"
    ):
        fsc.tl.predict(cells, model, use_rep="proteins", key_added="new")


def test_several_data_sets(cells: AnnData, quick, tmp_path: Path) -> None:
    cells.obs["lab"] = np.where(np.arange(240) % 2, "one", "two")
    fsc.tl.discover(cells, "coarse", 6, dataset_key="lab", save_model=tmp_path / "m", **quick)
    model = fsc.Falcon.load(tmp_path / "m", device="cpu")
    again = fsc.tl.predict(cells, model, coarse_key="coarse", dataset_key="lab", copy=True)
    assert again.obs["falcon_fine"].equals(cells.obs["falcon_fine"])
    half = cells[cells.obs["lab"] == "two"].copy()
    fsc.tl.predict(half, model, coarse_key="coarse", dataset_key="lab")
    of_whole = cells.obs["falcon_fine"][cells.obs["lab"] == "two"]
    assert half.obs["falcon_fine"].equals(of_whole.cat.remove_unused_categories())
    without = fsc.tl.predict(cells, model, copy=True).obs["falcon_fine"]
    cells.obs["nothing"] = None
    assert fsc.tl.predict(cells, model, coarse_key="nothing", copy=True).obs["falcon_fine"].equals(without)
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
    "values of an embedding": ({"use_rep": "X_pca", "values": "counts"}, ValueError, "values='counts' were both given"),
    "values": ({"values": "tpm"}, ValueError, "values must be None or one of 'counts', 'lognorm', 'continuous'"),
    "negative counts": ({"layer": "scaled", "values": "counts"}, ValueError, "negative values .*'counts' cannot be"),
    "missing genes": ({"missing_genes": "zero"}, ValueError, "missing_genes must be 'error' or 'fill', found 'zero'"),
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


CORRECTED = np.random.default_rng(0).uniform(0.95, 1, (240, 160))

# the same cells as users have them: from counts to values, and what these are
FORMS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "log-normalized to 10,000": (lambda counts: np.log1p(_to(counts, 1e4)), "lognorm"),
    "log-normalized to the median": (lambda counts: np.log1p(_to(counts, 187.5)), "lognorm"),
    "log-normalized to a million": (lambda counts: np.log1p(_to(counts, 1e6)), "lognorm"),
    "log2 of counts per million": (lambda counts: np.log2(1 + _to(counts, 1e6)), "lognorm"),
    "log of counts": (np.log1p, "lognorm"),
    "counts per 10,000": (lambda counts: _to(counts, 1e4), "linear"),
    "corrected counts": (lambda counts: counts * CORRECTED[-len(counts) :], "linear"),
}


def _to(counts: np.ndarray, total: float) -> np.ndarray:
    return counts / counts.sum(axis=1, keepdims=True) * total


def _formed(cells: AnnData, form: str) -> AnnData:
    cells = cells.copy()
    cells.X = sparse.csr_matrix(FORMS[form][0](cells.X.toarray().astype(np.float64)).astype(np.float32))
    return cells


@pytest.mark.parametrize("form", FORMS)
def test_values_are_brought_to_those_of_the_training_cells(trained, planted: AnnData, form: str) -> None:
    """Warnings are errors: nothing here rests on a guess."""
    _, model = trained
    new, other = planted[200:].copy(), _formed(planted[200:], form)
    fsc.tl.predict(new, model)
    fsc.tl.predict(other, model)
    assert other.uns["falcon"]["params"]["assumed"] == FORMS[form][1]
    off = 0.15 if form == "corrected counts" else 1e-3
    np.testing.assert_allclose(other.obsm["falcon_proba"], new.obsm["falcon_proba"], atol=off)


@pytest.mark.parametrize("n", [1, 5, 20])
@pytest.mark.parametrize("form", FORMS)
def test_a_few_cells_are_taken_for_what_all_are(trained, planted: AnnData, form: str, n: int) -> None:
    _, model = trained
    everything = _formed(planted[200:], form)
    few = everything[-n:].copy()
    fsc.tl.predict(everything, model)
    fsc.tl.predict(few, model)
    assert few.uns["falcon"]["params"]["assumed"] == FORMS[form][1]
    np.testing.assert_allclose(few.obsm["falcon_proba"], everything.obsm["falcon_proba"][-n:], atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_whatever_form_the_training_cells_had(planted: AnnData, quick, tmp_path: Path, form: str) -> None:
    cells = _formed(planted, form)
    fsc.tl.discover(cells, "coarse", 6, n_top_genes=80, save_model=tmp_path / "m", **quick)
    model = fsc.Falcon.load(tmp_path / "m", device="cpu")
    again = cells.copy()
    fsc.tl.predict(again, model, coarse_key="coarse")
    assert again.obs["falcon_fine"].equals(cells.obs["falcon_fine"])
    if form in {"corrected counts", "log of counts"}:  # no total, or not that of the counts
        return
    counts = planted.copy()
    fsc.tl.predict(counts, model)
    fsc.tl.predict(again, model)
    np.testing.assert_allclose(counts.obsm["falcon_proba"], again.obsm["falcon_proba"], atol=1e-3)


def test_totals_run_over_the_genes_of_the_training_cells(planted: AnnData, quick, tmp_path: Path) -> None:
    panel = planted[:, ::2].copy()
    fsc.tl.discover(panel, "coarse", 6, save_model=tmp_path / "m", **quick)
    model = fsc.Falcon.load(tmp_path / "m", device="cpu")
    whole, rates = planted.copy(), _formed(planted, "log-normalized to 10,000")
    for cells in (whole, rates, panel):
        fsc.tl.predict(cells, model)
    np.testing.assert_array_equal(whole.obsm["falcon_proba"], panel.obsm["falcon_proba"])
    np.testing.assert_allclose(rates.obsm["falcon_proba"], panel.obsm["falcon_proba"], atol=1e-4)


def test_genes_that_are_not_of_the_model_are_missing(trained, planted: AnnData) -> None:
    """The totals are estimates, and a warning says so; logarithms of about the right size are used as they are."""
    cells, model = trained
    of_model = planted[200:, cells.var["falcon_highly_variable"]].copy()
    whole = planted[200:].copy()
    fsc.tl.predict(whole, model, coarse_key="coarse")
    with pytest.warns(
        UserWarning, match="the cells hold counts, which were scaled to .* a cell.*estimate.*are missing"
    ):
        fsc.tl.predict(of_model, model, coarse_key="coarse")
    assert (of_model.obs["falcon_fine"] == whole.obs["falcon_fine"]).mean() > 0.9
    logarithms = _formed(planted[200:], "log-normalized to 10,000")[:, cells.var["falcon_highly_variable"]].copy()
    fsc.tl.predict(logarithms, model, coarse_key="coarse")
    np.testing.assert_allclose(logarithms.obsm["falcon_proba"], whole.obsm["falcon_proba"], atol=1e-4)
    of_million = _formed(planted[200:], "log-normalized to a million")[:, cells.var["falcon_highly_variable"]].copy()
    with pytest.warns(UserWarning, match="log-normalized values whose rates sum to .*, which were scaled to"):
        fsc.tl.predict(of_million, model, coarse_key="coarse")
    assert (of_million.obs["falcon_fine"] == whole.obs["falcon_fine"]).mean() > 0.9


def test_training_cells_without_a_total(planted: AnnData, quick, tmp_path: Path) -> None:
    """Genes were removed after the normalization: logarithms of the same kind are used as they are, counts estimated."""
    cells = _formed(planted, "log-normalized to 10,000")[:, ::2].copy()
    fsc.tl.discover(cells, "coarse", 6, save_model=tmp_path / "m", **quick)
    model = fsc.Falcon.load(tmp_path / "m", device="cpu")
    again, counts = cells.copy(), planted[:, ::2].copy()
    fsc.tl.predict(again, model, coarse_key="coarse")
    assert again.obs["falcon_fine"].equals(cells.obs["falcon_fine"])
    one = cells[:1].copy()
    fsc.tl.predict(one, model, coarse_key="coarse")
    np.testing.assert_allclose(one.obsm["falcon_proba"], again.obsm["falcon_proba"][:1], atol=1e-5)
    with pytest.warns(UserWarning, match="counts, which were scaled to .*the training cells had no common total"):
        fsc.tl.predict(counts, model, coarse_key="coarse")
    assert (counts.obs["falcon_fine"] == again.obs["falcon_fine"]).mean() > 0.8


def test_a_guess_is_a_warning(trained, planted: AnnData) -> None:
    _, model = trained
    smooth = planted[200:].copy()
    smooth.X = np.random.default_rng(0).gamma(1, 1, smooth.shape).astype(np.float32)
    told = (
        r"nothing in the values of the new cells tells what they are.*log-normalized.*Say values='counts' or 'lognorm'"
    )
    with (
        pytest.warns(UserWarning, match=told),
        pytest.warns(UserWarning, match="scaled to 10,000 a cell.*nothing proves that they are logarithms"),
    ):
        fsc.tl.predict(smooth, model)
    fsc.tl.predict(smooth, model, values="counts")
    assert smooth.uns["falcon"]["params"]["assumed"] == "counts"
    assert smooth.uns["falcon"]["params"]["values"] == "counts"


def test_values_that_the_user_states(trained, planted: AnnData) -> None:
    _, model = trained
    decimals = planted[200:].copy()
    decimals.X = decimals.X * 0.31
    whole = planted[200:].copy()
    fsc.tl.predict(whole, model)
    fsc.tl.predict(decimals, model, values="counts")
    np.testing.assert_allclose(decimals.obsm["falcon_proba"], whole.obsm["falcon_proba"], atol=1e-4)


def test_continuous_values(cells: AnnData, quick, tmp_path: Path, trained) -> None:
    counts = cells.X.toarray()
    cells.layers["z"] = ((counts - counts.mean(axis=0)) / counts.std(axis=0)).astype(np.float32)
    fsc.tl.discover(cells, "coarse", 6, layer="z", values="continuous", save_model=tmp_path / "m", **quick)
    assert cells.uns["falcon"]["params"]["assumed"] == cells.uns["falcon"]["params"]["values"] == "continuous"
    assert cells.var["falcon_highly_variable"].all()
    model = fsc.Falcon.load(tmp_path / "m", device="cpu")
    for options in ({}, {"values": "continuous"}):
        again = fsc.tl.predict(cells, model, coarse_key="coarse", layer="z", copy=True, **options)
        assert again.obs["falcon_fine"].equals(cells.obs["falcon_fine"])
    with pytest.raises(ValueError, match="values='counts', but the model was trained on continuous values"):
        fsc.tl.predict(cells, model, values="counts")
    with pytest.raises(ValueError, match="values='continuous', but the model was trained on raw counts"):
        fsc.tl.predict(cells, trained[1], layer="z", values="continuous")
    with pytest.warns(UserWarning, match="lie between 0 and .*do not look alike"):
        fsc.tl.predict(cells, model)  # the counts


def test_a_model_that_was_fitted_on_arrays(cells: AnnData) -> None:
    """Nothing is known of its training cells but the names of the genes: as `discover` does."""
    logarithms = np.log1p(_to(cells.X.toarray(), 1e4))
    model = fsc.Falcon(6, fsc.FalconConfig(start="random", max_epochs=2), device="cpu")
    model.fit(logarithms, cells.obs["coarse"], feature_names=cells.var_names)
    fsc.tl.predict(cells, model, coarse_key="coarse")
    np.testing.assert_array_equal(cells.obsm["falcon_proba"].argmax(axis=1), model.labels_)
    with pytest.raises(ValueError, match="fitted on arrays, without the means"):
        fsc.tl.predict(cells[:, 1:].copy(), model, missing_genes="fill")


def test_missing_genes(trained, planted: AnnData) -> None:
    cells, model = trained
    used = cells.var_names[cells.var["falcon_highly_variable"]]
    with pytest.raises(
        ValueError, match=f"2 of the 80 genes of the model .2.5%. are not in adata.var_names: '{used[0]}', '"
    ):
        fsc.tl.predict(planted[:, ~planted.var_names.isin(used[:2])].copy(), model)
    other = planted.copy()
    other.var_names = [f"ENSG{i}" for i in range(160)]
    with pytest.raises(ValueError, match=r"80 of the 80 genes.* and 60 more"):
        fsc.tl.predict(other, model)
    other.var_names = ["twice", "twice", *planted.var_names[2:]]
    with pytest.raises(ValueError, match="var_names_make_unique"):
        fsc.tl.predict(other, model)


def test_missing_genes_are_filled(trained, planted: AnnData) -> None:
    cells, model = trained
    used = cells.var_names[cells.var["falcon_highly_variable"]]
    whole, lacking = planted[200:].copy(), planted[200:, ~planted.var_names.isin(used[:4])].copy()
    fsc.tl.predict(whole, model, coarse_key="coarse")
    with pytest.warns(
        UserWarning,
        match=f"4 of the 80 genes of the model .5.0%.*% of the variance.*filled with their mean there: '{used[0]}', '",
    ):
        fsc.tl.predict(lacking, model, coarse_key="coarse", missing_genes="fill")
    assert (lacking.obs["falcon_fine"] == whole.obs["falcon_fine"]).mean() > 0.9
    assert lacking.uns["falcon"]["params"]["n_genes_filled"] == 4
    assert lacking.var["falcon_highly_variable"].sum() == 76
    fsc.tl.predict(whole, model, missing_genes="fill")  # nothing is missing: no warning
    assert whole.uns["falcon"]["params"]["n_genes_filled"] == 0


def test_too_many_genes_to_fill(trained, planted: AnnData) -> None:
    cells, model = trained
    used = cells.var_names[cells.var["falcon_highly_variable"]]
    with pytest.raises(ValueError, match=r"30 of the 80 genes .*% of the variance.*missing_genes='fill' stops at 10%"):
        fsc.tl.predict(planted[:, ~planted.var_names.isin(used[:30])].copy(), model, missing_genes="fill")
