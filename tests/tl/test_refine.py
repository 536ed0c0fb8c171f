"""A coarse class is refined, every other label stays bit for bit, and object, colors and model agree; or nothing has changed."""

from __future__ import annotations

from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import falcon_sc as fsc

FINE = "falcon_fine"
SLOTS = ("falcon_fine", "falcon_confidence", "falcon_leaf", "falcon_agreement")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> ad.AnnData:
    """640 planted cells, 3 coarse classes of 4, 2 and 2 fine ones; one class was asked for in the first; the model is saved."""
    rng = np.random.default_rng(0)
    fine = rng.permutation(np.repeat(np.arange(8), [60, 60, 60, 60, 120, 80, 110, 90]))
    fold = np.exp(rng.normal(0, 1.5, (8, 150)) * (rng.random((8, 150)) < 0.15))
    counts = rng.poisson(rng.gamma(1, 1.5, 150) * fold[fine]).astype(np.float32)
    coarse = np.array(["CD4/CD8 T"] * 4 + ["B cell"] * 2 + ["µ glia"] * 2)[fine]
    adata = ad.AnnData(counts, obs=pd.DataFrame({"coarse": coarse, "fine": fine}, index=[f"c{i}" for i in range(640)]))
    adata.obs.loc[adata.obs_names[:8], "coarse"] = None
    path = tmp_path_factory.mktemp("trained") / "model"
    with pytest.warns(UserWarning, match="missing"):
        fsc.tl.discover(
            adata,
            "coarse",
            5,
            fixed={"CD4/CD8 T": 1},
            max_epochs=30,
            save_model=path,
            progress_bar=False,
            device="cpu",
        )
    return adata


def with_its_model(adata: ad.AnnData, folder) -> ad.AnnData:
    """A copy with a model of its own."""
    own = adata.copy()
    fsc.Falcon.load(adata.uns["falcon"]["params"]["saved_model"], device="cpu").save(folder)
    own.uns["falcon"]["params"]["saved_model"] = str(folder)
    return own


@pytest.fixture
def found(trained: ad.AnnData, tmp_path) -> ad.AnnData:
    return with_its_model(trained, tmp_path / "model")


@pytest.fixture(scope="module")
def refined_once(trained: ad.AnnData, tmp_path_factory: pytest.TempPathFactory) -> ad.AnnData:
    adata = with_its_model(trained, tmp_path_factory.mktemp("refined") / "model")
    fsc.tl.refine(adata, "CD4/CD8 T", 4, progress_bar=False)
    return adata


@pytest.fixture
def refined(refined_once: ad.AnnData, tmp_path) -> ad.AnnData:
    return with_its_model(refined_once, tmp_path / "refined")


def t_cells(adata: ad.AnnData) -> np.ndarray:
    return (adata.obs["coarse"] == "CD4/CD8 T").to_numpy()


def numbers(adata: ad.AnnData) -> list[int]:
    """Of B cells, T cells and glia."""
    return np.asarray(adata.uns["falcon"]["M"]).sum(axis=0).tolist()


def dense(matrix: Any) -> np.ndarray:
    return matrix.toarray() if sparse.issparse(matrix) else matrix


def check_agreement(adata: ad.AnnData) -> None:
    about, proba = adata.uns["falcon"], adata.obsm["falcon_proba"]
    names = [str(name) for name in about["fine_names"]]
    known = adata.obs[FINE].notna().to_numpy()
    assert adata.obs[FINE].cat.categories.tolist() == names
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)
    chained = np.eye(len(names))[about["tree"]["class_of_leaf"]]
    np.testing.assert_allclose(adata.obsm["falcon_leaf_proba"] @ chained, proba, atol=1e-5)
    np.testing.assert_array_equal((chained.T @ np.eye(3)[about["tree"]["leaf_coarse"]]) > 0, np.asarray(about["M"]) > 0)
    parents = np.asarray(about["coarse_names"])[np.asarray(about["M"]).argmax(axis=1)]
    assert (parents[adata.obs[FINE].cat.codes[known]] == adata.obs["coarse"][known]).all()
    assert adata.obs["falcon_confidence"].notna().eq(known).all()
    assert adata.obs["falcon_confidence"].dropna().between(0, 1).all()
    assert len(adata.uns["falcon_fine_colors"]) == len(names)
    model = fsc.Falcon.load(about["params"]["saved_model"], device="cpu")
    assert model.fine_names_.tolist() == names
    again = adata.copy()
    fsc.tl.predict(again, model, coarse_key="coarse", key_added="again")
    assert again.obs["again_fine"][known].astype(str).eq(adata.obs[FINE][known].astype(str)).all()
    np.testing.assert_allclose(again.obsm["again_proba"], proba, atol=1e-5)  # also of cells without a coarse label


def test_it_goes_deeper_than_the_tree_and_finds_what_is_there(refined: ad.AnnData, trained: ad.AnnData) -> None:
    assert (np.asarray(trained.uns["falcon"]["tree"]["leaf_coarse"]) == 1).sum() < 4
    assert numbers(refined) == [2, 4, 2]
    own = t_cells(refined)
    table = pd.crosstab(refined.obs[FINE].astype(str)[own], refined.obs["fine"][own])
    assert table.max(axis=1).sum() > 0.95 * own.sum()
    assert refined.obs["falcon_confidence"][own].median() > 0.8
    check_agreement(refined)


def test_a_coarse_class_goes_by_the_name_that_the_cells_have_now(trained: ad.AnnData, refined: ad.AnnData) -> None:
    found = trained.copy()
    del found.uns["falcon"]["params"]["saved_model"]
    found.obs["coarse"] = found.obs["coarse"].replace({"CD4/CD8 T": "T"})
    with pytest.raises(ValueError, match="name='NK' is no coarse class here; there are 'B cell', 'T', 'µ glia'"):
        fsc.tl.refine(found, "NK", 4)
    with pytest.raises(ValueError, match="n_fine=1000: 'T' has 238 cells here"):
        fsc.tl.refine(found, "T", 1000)
    fsc.tl.refine(found, "T", 4, progress_bar=False)
    assert found.obs[FINE].equals(refined.obs[FINE])
    fsc.tl.refine(found, "B cell", 1, progress_bar=False)
    assert numbers(found) == [1, 4, 2]


def test_cells_that_were_put_into_a_class_by_hand_stay_there(trained: ad.AnnData, refined: ad.AnnData) -> None:
    found = trained.copy()
    del found.uns["falcon"]["params"]["saved_model"]
    moved = found.obs_names[t_cells(found)][:3]
    found.obs.loc[moved, [FINE, "falcon_confidence"]] = "B cell:0", 0.25
    elsewhere = found.obs_names[(found.obs["coarse"] == "B cell").to_numpy()][:2]
    found.obs.loc[elsewhere, FINE] = "CD4/CD8 T:0"
    with pytest.warns(UserWarning, match="2 cells were put by hand into classes that are divided now"):
        fsc.tl.refine(found, "CD4/CD8 T", 4, progress_bar=False)
    assert set(found.obs[FINE][moved]) == {"B cell:0"}
    assert set(found.obs["falcon_confidence"][moved]) == {0.25}
    rest = found.obs_names.drop(moved)
    assert found.obs[FINE][rest].equals(refined.obs[FINE][rest])


def test_of_scaled_values_the_advice_works(trained: ad.AnnData, refined: ad.AnnData, fingerprint) -> None:
    import scanpy as sc

    found = trained.copy()
    del found.uns["falcon"]["params"]["saved_model"]
    found.raw = found.copy()
    sc.pp.scale(found)
    before = fingerprint(found)
    with pytest.raises(
        ValueError, match=r"adata\.X holds negative values .*: refine reads again what .*, or from a layer"
    ) as told:
        fsc.tl.refine(found, "CD4/CD8 T", 4, progress_bar=False)
    assert "layer=" not in str(told.value)
    assert fingerprint(found) == before
    assert "adata.X = adata.raw[:, adata.var_names].X" in str(told.value)
    found.X = found.raw[:, found.var_names].X
    fsc.tl.refine(found, "CD4/CD8 T", 4, progress_bar=False)
    assert found.obs[FINE].equals(refined.obs[FINE])


def test_every_other_class_stays_bit_for_bit(refined: ad.AnnData, trained: ad.AnnData) -> None:
    others = ~t_cells(refined)
    for slot in SLOTS:
        after, before = (adata.obs[slot][others].astype(object).fillna("none") for adata in (refined, trained))
        pd.testing.assert_series_equal(after, before)
    for slot, names in (("falcon_proba", "fine_names"), ("falcon_leaf_proba", "leaf_names")):
        kept = []
        for adata in (refined, trained):
            about = adata.uns["falcon"]
            all_names = np.asarray((about if names in about else about["tree"])[names])
            kept.append(dense(adata.obsm[slot])[others][:, ~np.char.startswith(all_names, "CD4/CD8 T")])
        assert np.array_equal(*kept)
    for name in ("comes_back", "agreement", "markers", "depth", "gain", "opens_at", "n_left", "n_right", "supported"):
        after, before = (adata.uns["falcon"]["tree"] for adata in (refined, trained))
        np.testing.assert_array_equal(after[name][after["coarse"] != 1], before[name][before["coarse"] != 1])


def test_the_tree_has_evidence_and_the_history_the_decision(refined: ad.AnnData) -> None:
    tree = refined.uns["falcon"]["tree"]
    own = tree["coarse"] == 1
    assert own.sum() + 1 == (tree["leaf_coarse"] == 1).sum() >= 8
    assert tree["supported"][own].sum() == 3
    assert np.isfinite(tree["comes_back"][own]).all()
    history = pd.DataFrame(refined.uns["falcon"]["decisions"])
    assert set(history["kind"]) == {"refine"}
    assert set(history["old"]) == {name for name in tree["leaf_names"] if name.startswith("CD4/CD8 T")}
    assert history["new"].nunique() == 4


def test_a_class_for_each_cell_makes_no_noise(found: ad.AnnData) -> None:
    few = found[~t_cells(found) | (np.cumsum(t_cells(found)) <= 24)].copy()
    fsc.tl.refine(few, "CD4/CD8 T", 20, progress_bar=False)
    assert few.obs["falcon_fine"][t_cells(few)].nunique() > 6


def test_up_to_the_leaves_of_the_tree_it_is_a_cut(found: ad.AnnData) -> None:
    found.X = None  # which a cut does not read
    cut = found.copy()
    del cut.uns["falcon"]["params"]["saved_model"]
    fsc.tl.cut(cut, fixed={"B cell": 3})
    fsc.tl.refine(found, "B cell", 3)
    pd.testing.assert_frame_equal(found.obs, cut.obs)
    assert set(pd.DataFrame(found.uns["falcon"]["decisions"])["kind"]) == {"cut"}


def test_decisions_before_and_after_hold(found: ad.AnnData, tmp_path) -> None:
    fsc.tl.rename(
        found, {"B cell:0": "CD4/CD8 T:1", "CD4/CD8 T:0": "T"}
    )  # the first is what a new class would be called
    fsc.tl.merge(found, ["µ glia:0", "µ glia:1"], "glia")
    before = found.obs[FINE].astype(object)
    fsc.tl.refine(found, "CD4/CD8 T", 4, progress_bar=False)
    others = ~t_cells(found)
    assert found.obs[FINE].astype(object)[others].equals(before[others])
    assert {"CD4/CD8 T:1", "CD4/CD8 T:1'", "glia"} < set(found.uns["falcon"]["fine_names"])
    check_agreement(found)
    fsc.tl.rename(found, {"CD4/CD8 T:0": "Treg"})
    treg = found.obs[FINE] == "Treg"
    fsc.tl.cut(found, fixed={"CD4/CD8 T": 2, "µ glia": 2})
    check_agreement(found)
    fsc.tl.cut(found, fixed={"CD4/CD8 T": 4})
    assert (found.obs[FINE] == "Treg").equals(treg)
    assert "T" not in found.uns["falcon"]["fine_names"]
    check_agreement(found)
    found.write_h5ad(tmp_path / "found.h5ad")
    again = ad.read_h5ad(tmp_path / "found.h5ad")
    n_leaves = int((again.uns["falcon"]["tree"]["leaf_coarse"] == 1).sum())
    fsc.tl.refine(again, "CD4/CD8 T", n_leaves + 1, progress_bar=False)
    assert numbers(again) == [2, n_leaves + 1, 2]
    check_agreement(again)


def test_the_same_seed_gives_the_same_labels_and_a_copy_leaves_all_as_it_is(
    found: ad.AnnData, refined: ad.AnnData, fingerprint
) -> None:
    before = fingerprint(found)
    model = fsc.Falcon.load(found.uns["falcon"]["params"]["saved_model"], device="cpu")
    copy = fsc.tl.refine(found, "CD4/CD8 T", 4, model=model, progress_bar=False, copy=True)
    assert fingerprint(found) == before
    pd.testing.assert_frame_equal(copy.obs, refined.obs)
    np.testing.assert_array_equal(copy.obsm["falcon_proba"], refined.obsm["falcon_proba"])
    saved = fsc.Falcon.load(found.uns["falcon"]["params"]["saved_model"], device="cpu")
    assert saved.fine_names_.tolist() == found.uns["falcon"]["fine_names"].tolist()
    assert model.fine_names_.tolist() == copy.uns["falcon"]["fine_names"].tolist()
    with pytest.raises(ValueError, match=r"lacks classes that falcon_sc.tl.refine found"):
        fsc.tl.rename(copy, {"CD4/CD8 T:0": "Treg"}, model=saved)


def test_without_a_model_the_object_is_refined_alone(trained: ad.AnnData, refined: ad.AnnData) -> None:
    some = trained[trained.obs["coarse"] != "µ glia"].copy()
    del some.uns["falcon"]["params"]["saved_model"]
    fsc.tl.refine(some, "CD4/CD8 T", 4, progress_bar=False)
    assert numbers(some) == [2, 4, 2]
    own = t_cells(some)
    table = pd.crosstab(some.obs[FINE].astype(str)[own], some.obs["fine"][own])
    assert table.max(axis=1).sum() > 0.95 * own.sum()


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (("NK", 4), ValueError, "name='NK' is no coarse class here; there are 'B cell'"),
        (("B cell:0", 9), ValueError, "fine class of 'B cell', which can be refined as a whole"),
        (("CD4/CD8 T", 4.0), TypeError, "n_fine must be an int"),
        (("CD4/CD8 T", 0), ValueError, "n_fine must be at least 1"),
        (("CD4/CD8 T", 999), ValueError, r"n_fine=999: 'CD4/CD8 T' has \d+ cells here"),
    ],
)
def test_refusals_change_nothing(found: ad.AnnData, fingerprint, arguments, error, match) -> None:
    before = fingerprint(found)
    with pytest.raises(error, match=match):
        fsc.tl.refine(found, *arguments)
    with pytest.raises(TypeError, match="rng must be"):
        fsc.tl.refine(found, "CD4/CD8 T", 4, rng="a")
    with pytest.raises(KeyError, match="holds no result"):
        fsc.tl.refine(found, "CD4/CD8 T", 4, key="other")
    assert fingerprint(found) == before


def lose_matrix(adata: ad.AnnData) -> None:
    adata.X = None


def lose_layer(adata: ad.AnnData) -> None:
    adata.uns["falcon"]["params"]["layer"] = "counts"


def lose_genes(adata: ad.AnnData) -> None:
    del adata.var["falcon_highly_variable"]


def change_genes(adata: ad.AnnData) -> None:
    adata.var["falcon_highly_variable"] = ~adata.var["falcon_highly_variable"]


def lose_leaves(adata: ad.AnnData) -> None:
    del adata.obs["falcon_leaf"]


def lose_tree(adata: ad.AnnData) -> None:
    del adata.uns["falcon"]["tree"]


def lose_model(adata: ad.AnnData) -> None:
    adata.uns["falcon"]["params"]["saved_model"] += "gone"


@pytest.mark.parametrize(
    ("lose", "error", "match"),
    [
        (lose_matrix, KeyError, "adata.X, which falcon_sc.tl.discover read, is missing"),
        (lose_layer, KeyError, r"adata.layers\['counts'\], which falcon_sc.tl.discover read"),
        (lose_genes, KeyError, r"adata.var\['falcon_highly_variable'\].*anndata.concat .*merge='same'"),
        (change_genes, ValueError, "are not those that the model reads"),
        (lose_leaves, KeyError, "falcon_leaf"),
        (lose_tree, ValueError, "holds no tree of splits"),
        (lose_model, ValueError, r"holds no saved Falcon.* Give model=.*to go on without a model"),
    ],
)
def test_what_is_missing_is_said_before_any_work(found: ad.AnnData, fingerprint, lose, error, match) -> None:
    lose(found)
    before = fingerprint(found)
    with pytest.raises(error, match=match):
        fsc.tl.refine(found, "CD4/CD8 T", 4)
    assert fingerprint(found) == before


def test_a_disk_that_is_full_leaves_object_and_model_as_they_were(found: ad.AnnData, fingerprint, full_disk) -> None:
    before = fingerprint(found)
    with full_disk(), pytest.raises(OSError, match="File too large"):
        fsc.tl.refine(found, "CD4/CD8 T", 4, progress_bar=False)
    assert fingerprint(found) == before
    check_agreement(found)


def test_columns_of_an_embedding_must_be_those_of_the_model(planted: ad.AnnData, tmp_path, fingerprint) -> None:
    adata = planted.copy()
    table = pd.DataFrame(np.log1p(planted.X[:, 60:90].toarray()), index=planted.obs_names).add_prefix("p")
    adata.obsm["proteins"] = table
    config = fsc.FalconConfig(start_n_repeats=1, min_iterations=1, warmup_iterations=1)
    fsc.tl.discover(
        adata, "coarse", 6, use_rep="proteins", config=config, max_epochs=1, progress_bar=False, device="cpu", save_model=tmp_path
    )  # fmt: skip
    adata.obsm["proteins"] = table[table.columns[::-1]]
    before = fingerprint(adata)
    with pytest.raises(
        ValueError, match=r"the columns of adata\.obsm\['proteins'\] are not those that the model reads, in its order"
    ):
        fsc.tl.refine(adata, "B cell", 7, progress_bar=False)
    assert fingerprint(adata) == before
    adata.obsm["proteins"] = table
    fsc.tl.refine(adata, "B cell", 7, progress_bar=False)
    new = planted.copy()
    new.obsm["proteins"] = table[table.columns[::-1]]
    fsc.tl.predict(new, fsc.Falcon.load(tmp_path, device="cpu"), coarse_key="coarse", use_rep="proteins")
    assert (new.obs[FINE].astype(str) == adata.obs[FINE].astype(str)).mean() > 0.9


def test_of_continuous_values_the_columns_that_were_chosen_are_clustered(planted: ad.AnnData, monkeypatch) -> None:
    from falcon_sc.core.fitting import refine

    adata, seen, own = planted.copy(), [], refine.refine
    adata.X = np.sqrt(planted.X.toarray())
    config = fsc.FalconConfig(start_n_repeats=1, min_iterations=1, warmup_iterations=1)
    keywords = {"config": config, "max_epochs": 1, "progress_bar": False, "device": "cpu"}
    fsc.tl.discover(adata, "coarse", 6, values="continuous", n_top_genes=60, **keywords)
    monkeypatch.setattr(
        refine, "refine", lambda start, *rest, **named: seen.append(start) or own(start, *rest, **named)
    )
    fsc.tl.refine(adata, "B cell", 7, progress_bar=False)
    (start,) = seen
    assert start.kind == "embedding"  # a few of many columns
    np.testing.assert_array_equal(start.matrix, adata.X[:, adata.var["falcon_highly_variable"]])
