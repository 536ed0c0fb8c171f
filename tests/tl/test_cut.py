"""After a cut the object, its colors and its model agree; where there is none, nothing has changed."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import falcon_sc as fsc
from falcon_sc.core.state.decisions import Decision, FineClasses
from falcon_sc.pl._classes import coarse_names_now, read_classes
from falcon_sc.tl._cut import _names_so_far
from falcon_sc.tl._decisions_in_words import decisions_in_words

FINE = "falcon_fine"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> ad.AnnData:
    """600 planted cells, 3 coarse classes, 6 fine ones; some without a coarse label; the model is saved."""
    rng = np.random.default_rng(0)
    fine = rng.permutation(np.repeat(np.arange(6), [120, 80, 120, 80, 110, 90]))
    fold = np.exp(rng.normal(0, 1.5, (6, 150)) * (rng.random((6, 150)) < 0.15))
    counts = rng.poisson(rng.gamma(1, 1.5, 150) * fold[fine]).astype(np.float32)
    obs = pd.DataFrame(
        {"coarse": np.array(["B cell", "CD4/CD8 T", "µ glia"])[fine // 2]}, index=[f"c{i}" for i in range(600)]
    )
    adata = ad.AnnData(counts, obs=obs)
    adata.obs.loc[adata.obs_names[:8], "coarse"] = None
    path = tmp_path_factory.mktemp("trained") / "model"
    with pytest.warns(UserWarning, match="missing"):
        fsc.tl.discover(adata, "coarse", 6, max_epochs=30, save_model=path, progress_bar=False, device="cpu")
    return adata


@pytest.fixture
def found(trained: ad.AnnData, tmp_path) -> ad.AnnData:
    """A copy with a model of its own."""
    adata = trained.copy()
    fsc.Falcon.load(trained.uns["falcon"]["params"]["saved_model"]).save(tmp_path / "model")
    adata.uns["falcon"]["params"]["saved_model"] = str(tmp_path / "model")
    return adata


def labels(adata: ad.AnnData) -> np.ndarray:
    return adata.obs[FINE].astype(object).fillna("none").to_numpy()


def numbers(adata: ad.AnnData) -> dict[str, int]:
    about = adata.uns["falcon"]
    return dict(zip(about["coarse_names"].tolist(), np.asarray(about["M"]).sum(axis=0).tolist(), strict=True))


def leaves(adata: ad.AnnData) -> dict[str, int]:
    about = adata.uns["falcon"]
    return dict(zip(about["coarse_names"].tolist(), np.bincount(about["tree"]["leaf_coarse"]).tolist(), strict=True))


def check_agreement(adata: ad.AnnData) -> None:
    about, proba = adata.uns["falcon"], adata.obsm["falcon_proba"]
    names = [str(name) for name in about["fine_names"]]
    known = adata.obs[FINE].notna().to_numpy()
    assert proba.shape == (adata.n_obs, len(names))
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)
    # M chained: leaves x classes
    chained = np.eye(len(names))[about["tree"]["class_of_leaf"]]
    np.testing.assert_allclose(adata.obsm["falcon_leaf_proba"] @ chained, proba, atol=1e-5)
    leaf_relation = np.eye(3)[about["tree"]["leaf_coarse"]]
    np.testing.assert_array_equal((chained.T @ leaf_relation) > 0, np.asarray(about["M"]) > 0)
    assert adata.obs["falcon_confidence"].notna().eq(known).all()
    assert adata.obs["falcon_confidence"].dropna().between(0, 1).all()
    assert len(adata.uns["falcon_fine_colors"]) == adata.obs[FINE].cat.categories.size
    model = fsc.Falcon.load(about["params"]["saved_model"], device="cpu")
    again = adata.copy()
    fsc.tl.predict(again, model, coarse_key="coarse", key_added="again")
    assert again.obs["again_fine"][known].astype(str).eq(adata.obs[FINE][known].astype(str)).all()
    assert again.uns["again"]["fine_names"].tolist() == names


def test_numbers_are_pinned_and_the_others_stay(found: ad.AnnData, trained: ad.AnnData) -> None:
    before = labels(found)
    most = leaves(found)["B cell"]
    assert most > 3
    fsc.tl.cut(found, fixed={"B cell": most})
    assert numbers(found) == numbers(trained) | {"B cell": most}
    others = (found.obs["coarse"] != "B cell").to_numpy()
    np.testing.assert_array_equal(labels(found)[others], before[others])
    check_agreement(found)


def test_there_and_back_is_where_it_was(found: ad.AnnData, trained: ad.AnnData) -> None:
    fsc.tl.cut(found, 10)
    check_agreement(found)
    assert sum(numbers(found).values()) == 10
    fsc.tl.cut(found, 3)
    check_agreement(found)
    assert set(numbers(found).values()) == {1}
    fsc.tl.cut(found, 6)
    check_agreement(found)
    np.testing.assert_array_equal(labels(found), labels(trained))
    np.testing.assert_allclose(found.obsm["falcon_proba"], trained.obsm["falcon_proba"], atol=1e-6)
    np.testing.assert_array_equal(found.obs["falcon_confidence"], trained.obs["falcon_confidence"])
    history = pd.DataFrame(found.uns["falcon"]["decisions"])
    assert history.groupby("step")["kind"].first().tolist() == ["cut", "cut", "cut"]


def test_cuts_are_nested(found: ad.AnnData) -> None:
    before = None
    for n_fine in range(3, sum(leaves(found).values()) + 1):
        fsc.tl.cut(found, n_fine)
        now = found.obs[FINE].astype(str)
        if before is not None:
            assert pd.crosstab(now, before).gt(0).sum(axis=1).max() == 1
        before = now


def test_a_name_is_kept_wherever_its_cells_are_a_class(found: ad.AnnData) -> None:
    name = found.uns["falcon"]["fine_names"][0]
    cells = (found.obs[FINE] == name).to_numpy()
    fsc.tl.rename(found, {name: "Treg"})
    fsc.tl.cut(found, 3)
    assert "Treg" not in found.uns["falcon"]["fine_names"]
    fsc.tl.cut(found, 6)
    assert (found.obs[FINE] == "Treg").to_numpy().tolist() == cells.tolist()
    check_agreement(found)


def test_merges_stay_where_the_number_stays_and_go_where_it_moves(found: ad.AnnData) -> None:
    first, second = (name for name in found.uns["falcon"]["fine_names"] if name.startswith("B cell"))
    fsc.tl.merge(found, [first, second], "B")
    check_agreement(found)
    fsc.tl.cut(found, fixed={"µ glia": 3})
    assert "B" in found.uns["falcon"]["fine_names"]
    check_agreement(found)
    fsc.tl.cut(found, fixed={"B cell": 2})
    assert {first, second} < set(found.uns["falcon"]["fine_names"])
    check_agreement(found)


@pytest.mark.parametrize("number", [np.int8(5), np.float64(5), np.array(5)], ids=["int8", "float64", "array"])
def test_numbers_of_numpy_are_numbers(found: ad.AnnData, number) -> None:
    fsc.tl.cut(found, number)
    assert len(found.uns["falcon"]["fine_names"]) == 5


def test_auto_makes_the_supported_splits(found: ad.AnnData) -> None:
    fsc.tl.cut(found, "auto")
    tree = found.uns["falcon"]["tree"]
    assert set(numbers(found).values()) == {2}  # planted
    assert tree["supported"].sum() == 3
    check_agreement(found)


def test_a_subset_and_a_file_can_be_cut(found: ad.AnnData, tmp_path) -> None:
    some = found[::2].copy()
    some.write_h5ad(tmp_path / "some.h5ad")
    some = ad.read_h5ad(tmp_path / "some.h5ad")
    fsc.tl.cut(some, 8, copy=False)
    fsc.tl.cut(found, 8)
    np.testing.assert_array_equal(labels(some), labels(found)[::2])


def test_cells_without_a_class_keep_none(found: ad.AnnData) -> None:
    found.obs.loc[found.obs_names[20:30], FINE] = None
    fsc.tl.cut(found, 8)
    assert found.obs[FINE][:8].isna().all()
    assert found.obs[FINE][20:30].isna().all()
    assert found.obs["falcon_confidence"][20:30].isna().all()


def test_the_fitted_model_and_the_object_agree(found: ad.AnnData) -> None:
    cells = found[8:].copy()
    model = fsc.Falcon(6, fsc.FalconConfig(max_epochs=20), device="cpu").fit(
        np.log1p(cells.X), cells.obs["coarse"].astype(str)
    )
    assert model.proba_.shape == (592, 6)
    leaf_names = model.classes_.leaves[0]
    model.decide([fsc.core.state.decisions.Decision("cut", {name: name.split(":")[0] for name in leaf_names})])
    assert model.fine_names_.tolist() == ["B cell", "CD4/CD8 T", "µ glia"]
    np.testing.assert_allclose(model.proba_, np.eye(3)[model.labels_], atol=1e-6)
    np.testing.assert_allclose(model.confidence_, 1, atol=1e-5)


def test_coarse_classes_go_by_the_names_that_the_cells_have_now(found: ad.AnnData, fingerprint) -> None:
    found.obs["coarse"] = found.obs["coarse"].replace({"B cell": "µ glia", "µ glia": "B cell", "CD4/CD8 T": "T"})
    assert list(dict.fromkeys(read_classes(found, "falcon").parents)) == ["µ glia", "T", "B cell"]
    before = fingerprint(found)
    with pytest.raises(
        ValueError, match=r"fixed names 'NK', which is no coarse class here\. Coarse classes: 'µ glia', 'T', 'B cell'"
    ):
        fsc.tl.cut(found, fixed={"NK": 2})
    assert fingerprint(found) == before
    fsc.tl.cut(found, fixed={"B cell": 3, "T": 1})
    assert found.obs.groupby("coarse")[FINE].nunique().to_dict() == {"B cell": 3, "T": 1, "µ glia": 2}
    words = decisions_in_words(found.uns["falcon"], coarse_names_now(found, "falcon"))
    assert words == ["Cut into 6 fine classes: 2 of µ glia, 1 of T, 3 of B cell."]
    fsc.tl.cut(found, fixed={"CD4/CD8 T": 2})  # as in the run: no other class is called so
    assert found.obs.groupby("coarse")[FINE].nunique()["T"] == 2


def test_two_coarse_classes_of_one_name_are_told_apart_by_that_of_the_run(found: ad.AnnData, fingerprint) -> None:
    found.obs["coarse"] = found.obs["coarse"].replace({"B cell": "immune", "CD4/CD8 T": "immune"})
    before = fingerprint(found)
    with pytest.raises(
        ValueError, match="'immune' is what several coarse classes are called now, in the run 'B cell', 'CD4/CD8 T'"
    ):
        fsc.tl.cut(found, fixed={"immune": 3})
    assert fingerprint(found) == before
    fsc.tl.cut(found, fixed={"CD4/CD8 T": 3})
    assert numbers(found) == {"B cell": 2, "CD4/CD8 T": 3, "µ glia": 2}


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({}, ValueError, "give n_fine"),
        ({"n_fine": 2}, ValueError, "n_fine=2: the tree can be cut into from 3 to"),
        ({"n_fine": 500}, ValueError, "n_fine=500"),
        ({"n_fine": "all"}, TypeError, "'auto' or None, found 'all'"),
        ({"n_fine": {"B cell": 3}}, TypeError, "go into fixed"),
        ({"n_fine": True}, TypeError, "found True"),
        ({"fixed": {"NK": 2}}, ValueError, "fixed names 'NK', which is no coarse class here.*B cell"),
        ({"fixed": {"B cell": 2, "no cell": 1}}, ValueError, "fixed names 'no cell'"),
        ({"fixed": {"B cell": 99}}, ValueError, r"fixed\['B cell'\]=99: the tree has \d+ leaves there.*tl\.refine"),
        ({"fixed": {"B cell": 0}}, ValueError, r"fixed\['B cell'\]"),
        ({"fixed": 3}, TypeError, "fixed must be a mapping"),
        ({"n_fine": 6, "fixed": {"B cell": 5}}, ValueError, "from 7 to"),
        ({"n_fine": 8, "key": "other"}, KeyError, "holds no result"),
    ],
)
def test_refusals_change_nothing(found: ad.AnnData, fingerprint, arguments, error, match) -> None:
    before = fingerprint(found)
    with pytest.raises(error, match=match):
        fsc.tl.cut(found, **arguments)
    assert fingerprint(found) == before


def test_without_a_tree_or_its_cells_there_is_no_cut(found: ad.AnnData, fingerprint) -> None:
    lacking = found.copy()
    del lacking.obsm["falcon_leaf_proba"]
    before = fingerprint(lacking)
    with pytest.raises(KeyError, match="falcon_leaf_proba"):
        fsc.tl.cut(lacking, 8)
    assert fingerprint(lacking) == before
    del lacking.uns["falcon"]["tree"]
    with pytest.raises(ValueError, match="holds no tree of splits"):
        fsc.tl.cut(lacking, 8)


def test_a_run_without_a_tree_takes_the_leaves_of_an_earlier_one_away(found: ad.AnnData) -> None:
    config = fsc.FalconConfig(leaves_per_class=1, max_epochs=2)
    cells = found[8:].copy()
    fsc.tl.discover(cells, "coarse", 6, config=config, progress_bar=False, device="cpu")
    assert "tree" not in cells.uns["falcon"]
    assert not {"falcon_leaf", "falcon_agreement"} & set(cells.obs)
    assert "falcon_leaf_proba" not in cells.obsm


@pytest.mark.parametrize("lowest", [0, -0.5])
def test_mitochondria_explain_counts_and_nothing_that_is_negative(trained: ad.AnnData, lowest: float) -> None:
    cells = trained[8:].copy()
    cells.layers["counts"] = cells.X.copy()
    cells.X = cells.X + lowest
    cells.var_names = ["MT-" * (i < 40) + name for i, name in enumerate(cells.var_names)]
    fsc.tl.discover(cells, "coarse", 6, layer="counts", max_epochs=2, progress_bar=False, device="cpu")
    share = cells.uns["falcon"]["tree"]["mitochondria"]
    assert np.isnan(share).all() if lowest < 0 else (share > 0.01).any()


def test_what_was_pinned_before_stays_pinned(trained: ad.AnnData) -> None:
    cells = trained[8:].copy()
    fsc.tl.discover(
        cells, "coarse", 6, fixed={"B cell": 2}, max_epochs=2, progress_bar=False, device="cpu", key_added="falcon"
    )
    fsc.tl.cut(cells, 8)
    assert numbers(cells)["B cell"] == 2
    fsc.tl.cut(cells, 8, fixed={"B cell": 1})
    assert numbers(cells)["B cell"] == 1


def test_names_of_before_a_refinement_are_not_given_to_other_cells() -> None:
    relation = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.uint8)
    classes = FineClasses.of_leaves(["a:0", "a:1", "b:0"], relation, np.arange(3))
    both, other = Decision("merge", {"a:0": "old", "a:1": "old"}), Decision("rename", {"b:0": "B"})
    found_anew = Decision("refine", {"a:0.0": "a:0", "a:1.0": "a:1"})
    assert _names_so_far(classes, (both, other))[0, 1] == "old"
    names = _names_so_far(classes, (both, other, found_anew))
    assert names == {(0,): "a:0", (1,): "a:1", (2,): "B"}
