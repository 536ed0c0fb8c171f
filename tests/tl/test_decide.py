"""After a decision the object, its colors and its model agree; where it cannot be carried out, nothing has changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import anndata as ad
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import falcon_sc as fsc

if TYPE_CHECKING:
    from anndata import AnnData

FINE = "falcon_fine"


@pytest.fixture(scope="module")
def trained(planted: AnnData, tmp_path_factory: pytest.TempPathFactory) -> AnnData:
    """The planted cells in 9 fine classes, some without a coarse label; the model is saved."""
    adata = planted.copy()
    adata.obs.loc[adata.obs_names[:8], "coarse"] = None
    path = tmp_path_factory.mktemp("trained") / "model"
    with pytest.warns(UserWarning, match="missing"):
        fsc.tl.discover(
            adata, "coarse", 9, n_top_genes=80, max_epochs=30, save_model=path, progress_bar=False, device="cpu"
        )
    return adata


@pytest.fixture
def found(trained: AnnData, tmp_path: Path) -> AnnData:
    """A copy with a model of its own."""
    adata = trained.copy()
    path = tmp_path / "model"
    fsc.Falcon.load(trained.uns["falcon"]["params"]["saved_model"]).save(path)
    adata.uns["falcon"]["params"]["saved_model"] = str(path)
    return adata


def classes(adata: AnnData, coarse: str) -> list[str]:
    return [str(name) for name in adata.uns["falcon"]["fine_names"] if str(name).startswith(coarse)]


def model_of(adata: AnnData) -> fsc.Falcon:
    return fsc.Falcon.load(adata.uns["falcon"]["params"]["saved_model"], device="cpu")


def check_agreement(adata: AnnData) -> None:
    about, column = adata.uns["falcon"], adata.obs[FINE]
    names = [str(name) for name in about["fine_names"]]
    proba = adata.obsm["falcon_proba"]
    assert np.asarray(about["M"]).shape == (len(names), 3)
    assert proba.shape == (adata.n_obs, len(names))
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)
    known = column.notna().to_numpy()
    assert set(column[known]) <= set(names)
    parents = np.asarray(about["coarse_names"])[np.asarray(about["M"]).argmax(axis=1)]
    assert (parents[[names.index(name) for name in column[known]]] == adata.obs["coarse"][known].astype(str)).all()
    assert adata.obs["falcon_confidence"].isna().eq(~known).all()
    assert list(adata.uns["falcon_fine_colors"]) == [
        fsc.pl._style.fine_colors(adata, "falcon")[name] for name in column.cat.categories
    ]
    assert (column.value_counts() > 0).all()
    again = adata.copy()
    fsc.tl.predict(again, model_of(adata), coarse_key="coarse", key_added="again")
    assert again.obs["again_fine"][known].astype(str).eq(column[known].astype(str)).all()
    np.testing.assert_allclose(again.obsm["again_proba"], proba, atol=1e-5)
    np.testing.assert_array_equal(again.uns["again"]["M"], about["M"])
    assert again.uns["again"]["fine_names"].tolist() == names


def test_as_it_was(found: AnnData) -> None:
    check_agreement(found)
    assert "decisions" not in found.uns["falcon"]


@pytest.mark.parametrize("write", ["h5ad", "zarr"])
def test_everything_agrees_after_each_decision(found: AnnData, tmp_path: Path, write: str) -> None:
    before = found.copy()
    b = classes(found, "B cell")
    t = classes(found, "CD4/CD8 T")
    fsc.tl.merge(found, t[:2], "CD4/CD8 µ$^+$")
    check_agreement(found)
    fsc.tl.rename(found, {b[0]: b[1], b[1]: b[0]})
    check_agreement(found)
    getattr(found, f"write_{write}")(tmp_path / "cells")
    found = getattr(ad, f"read_{write}")(tmp_path / "cells")
    fsc.tl.merge(found, b)
    check_agreement(found)
    decided = pd.DataFrame(found.uns["falcon"]["decisions"])
    assert decided["kind"].tolist() == ["merge"] * 2 + ["rename"] * 2 + ["merge"] * len(b)
    assert decided["old"].tolist() == [*t[:2], *b[:2], *b]
    assert decided["new"].tolist() == ["CD4/CD8 µ$^+$"] * 2 + [b[1], b[0]] + [b[0]] * len(b)
    # nobody else has moved
    new = {**dict.fromkeys(t[:2], "CD4/CD8 µ$^+$"), **dict.fromkeys(b, b[0])}
    expected = before.obs[FINE].astype(object).map(lambda name: new.get(name, name))
    known = expected.notna()
    assert (expected[known] == found.obs[FINE].astype(object)[known]).all()
    assert found.obs[FINE].isna().equals(~known)
    others = ~before.obs[FINE].isin([*t[:2], *b])
    pd.testing.assert_series_equal(before.obs["falcon_confidence"][others], found.obs["falcon_confidence"][others])
    assert (found.obs["falcon_confidence"] >= before.obs["falcon_confidence"])[before.obs[FINE].notna()].all()
    np.testing.assert_allclose(found.obs["falcon_confidence"][found.obs[FINE] == b[0]], 1, atol=1e-6)  # one class left
    mpl.use("agg")
    fsc.pl.relation(found)
    fsc.pl.confident(found)
    assert fsc.pl.history(found).axes[1].get_title(loc="left") == "fine classes in use (of 9)"
    mpl.pyplot.close("all")


def test_order_of_the_categories_is_kept(found: AnnData) -> None:
    b = classes(found, "B cell")
    backwards = found.obs[FINE].cat.categories[::-1]
    found.obs[FINE] = found.obs[FINE].cat.reorder_categories(backwards)
    fsc.tl.merge(found, b[:2], "both")
    renamed = ["both" if name in b[:2] else name for name in backwards]
    assert found.obs[FINE].cat.categories.tolist() == list(dict.fromkeys(renamed))
    found.obs[FINE] = found.obs[FINE].astype(object)  # as text
    fsc.tl.rename(found, {"both": "B"})
    present = [name for name in found.uns["falcon"]["fine_names"] if name in set(found.obs[FINE].dropna())]
    assert found.obs[FINE].cat.categories.tolist() == present
    check_agreement(found)


def test_colors_that_somebody_chose_are_kept(found: AnnData) -> None:
    """For sc.pl.umap; those of other classes are ours."""
    b, t = classes(found, "B cell"), classes(found, "CD4/CD8 T")
    names = found.obs[FINE].cat.categories.tolist()
    mine = {b[0]: "#111111", b[1]: "#222222", t[0]: "#333333"}
    usual = dict(zip(names, found.uns["falcon_fine_colors"], strict=True))
    found.uns["falcon_fine_colors"] = [mine.get(name, usual[name]) for name in names]
    fsc.tl.rename(found, {b[0]: b[1], b[1]: b[0]})
    fsc.tl.merge(found, t[:2], "CD4")
    fsc.tl.cut(found, fixed={"µ glia": 3})
    fsc.tl.refine(found, "µ glia", 9, progress_bar=False)
    now = dict(zip(found.obs[FINE].cat.categories, found.uns["falcon_fine_colors"], strict=True))
    assert (now[b[1]], now[b[0]]) == ("#111111", "#222222")
    assert now["CD4"] == "#333333"
    assert len(set(now.values())) == len(now)
    assert {now[name] for name in classes(found, "µ glia")} & set(usual.values())


def test_colors_of_coarse_classes_that_came_later_are_taken(found: AnnData) -> None:
    """The shades that discover wrote were chosen by nobody."""
    found.uns["coarse_colors"] = ["#ff0000", "#00aa00", "#0000ff"]
    fsc.tl.cut(found, fixed={"µ glia": 3})
    check_agreement(found)
    assert {"#ff0000", "#0000ff"} <= set(found.uns["falcon_fine_colors"])


def test_a_part_of_the_cells(found: AnnData) -> None:
    part = found[found.obs["coarse"].ne("B cell").to_numpy()].copy()
    fsc.tl.merge(part, classes(part, "B cell"), "all B")  # a class without cells
    assert "all B" not in part.obs[FINE].cat.categories
    fsc.tl.rename(part, {classes(part, "µ glia")[0]: "microglia"})
    check_agreement(part)


def with_others(found: AnnData, planted: AnnData) -> AnnData:
    """As anndata.concat leaves it where other cells join, about which the run knows nothing: the last 40."""
    others = planted[:40].copy()
    others.obs_names = [f"other {name}" for name in others.obs_names]
    return ad.concat([found, others], join="outer", merge="first", uns_merge="first")


@pytest.mark.parametrize("has_tree", [True, False])
def test_cells_of_which_nothing_is_known_stay_so(found: AnnData, planted: AnnData, has_tree: bool) -> None:
    both, names = with_others(found, planted), classes(found, "B cell")
    if not has_tree:
        del both.uns["falcon"]["tree"]
    fsc.tl.merge(both, names[:2], "B")
    fsc.tl.merge(found, names[:2], "B")
    if has_tree:
        fsc.tl.cut(both, 8), fsc.tl.cut(found, 8)
    proba = both.obsm["falcon_proba"]
    assert proba.dtype == np.float32
    assert np.isnan(proba[240:]).all()
    np.testing.assert_array_equal(proba[:240], found.obsm["falcon_proba"])
    assert both.obs[[FINE, "falcon_confidence"]][240:].isna().all(axis=None)
    assert both.obs[FINE][:240].astype(str).equals(found.obs[FINE].astype(str))
    assert fsc.tl.markers(both, n_genes=2)["fine"].nunique() == found.obs[FINE].nunique()
    # nor do their missing probabilities say a coarse class
    both.obs[FINE] = both.obs[FINE].astype(object)
    both.obs.loc[both.obs_names[240:], FINE] = "by hand"
    del both.obs["coarse"]
    with pytest.raises(ValueError, match=r"holds 'by hand', which .* nothing says to which coarse class they belong"):
        fsc.pl.relation(both)


def test_cells_that_were_put_into_a_class_by_hand_stay_there(found: AnnData, planted: AnnData) -> None:
    both = with_others(found, planted)
    one, two, *rest = classes(found, "µ glia")
    moved = both.obs_names[(both.obs[FINE] == one).to_numpy()][:3].append(both.obs_names[-2:])
    both.obs.loc[moved, FINE] = two
    before = both.obs["falcon_confidence"][moved]
    fsc.tl.rename(both, {two: "microglia"})
    assert set(both.obs[FINE][moved]) == {"microglia"}
    assert both.obs["falcon_confidence"][moved].equals(before)
    fsc.tl.merge(both, ["microglia", one, *rest], "glia")
    assert set(both.obs[FINE][moved]) == {"glia"}
    fsc.tl.cut(both, fixed={"B cell": 1})
    assert set(both.obs[FINE][moved]) == {"glia"}
    both.obs.loc[both.obs_names[-3], FINE] = "glia"
    with pytest.warns(UserWarning, match="3 cells were put by hand into classes that are divided now"):
        fsc.tl.cut(both, fixed={"µ glia": len(rest) + 2})
    assert both.obs[FINE][-3:].isna().all()
    assert set(both.obs[FINE][moved[:3]]) == {one}


def test_a_loaded_model_and_one_that_lacks_decisions(found: AnnData, tmp_path: Path) -> None:
    loaded, elsewhere = model_of(found), tmp_path / "elsewhere"
    loaded.save(elsewhere)
    b = classes(found, "B cell")
    fsc.tl.merge(found, b[:2], "both")
    fsc.tl.rename(found, {"both": "B"}, model=loaded)
    fsc.tl.rename(found, {"B": "all B"}, model=elsewhere)
    assert "B" in loaded.fine_names_
    both = fsc.Falcon.load(elsewhere), model_of(found)
    for model in both:
        np.testing.assert_array_equal(model.fine_names_, found.uns["falcon"]["fine_names"])
        assert len(model.decisions_) == 3


def test_decisions_on_predicted_cells(found: AnnData, planted: AnnData) -> None:
    b = classes(found, "B cell")
    new = planted[:60].copy()
    fsc.tl.predict(new, model_of(found), coarse_key="coarse")
    fsc.tl.merge(found, b[:2], "both")
    fsc.tl.merge(new, b[:2], "both", model=found.uns["falcon"]["params"]["saved_model"])  # which knows that already
    assert len(model_of(found).decisions_) == 1
    later = planted[:60].copy()
    fsc.tl.predict(later, model_of(found), coarse_key="coarse")
    assert later.obs[FINE].equals(new.obs[FINE])
    np.testing.assert_allclose(later.obsm["falcon_proba"], new.obsm["falcon_proba"], atol=1e-6)
    np.testing.assert_allclose(later.obs["falcon_confidence"], new.obs["falcon_confidence"], atol=1e-6)
    fsc.tl.rename(later, {"both": "B"})
    assert pd.DataFrame(later.uns["falcon"]["decisions"])["step"].tolist() == [0, 0, 1]


def test_a_saved_model_that_does_not_fit_is_a_warning(found: AnnData) -> None:
    b, path = classes(found, "B cell"), Path(found.uns["falcon"]["params"]["saved_model"])
    copy = found.copy()
    fsc.tl.rename(copy, {b[0]: "x"})
    with pytest.warns(UserWarning, match=r"keeps the classes it has: .* has other decisions .* give model=") as told:
        fsc.tl.rename(found, {b[0]: "y"})
    assert [one.filename for one in told] == [__file__]
    assert "y" in found.obs[FINE].cat.categories
    path.rename(path.with_name("moved"))
    with pytest.warns(UserWarning, match=r"keeps the classes it has: .* holds no saved Falcon"):
        fsc.tl.rename(found, {"y": "z"})


def test_a_given_model_that_does_not_fit_changes_nothing(found: AnnData, fingerprint, planted: AnnData, quick) -> None:
    other = fsc.tl.discover(planted, "coarse", 6, copy=True, **quick)
    assert "saved_model" not in other.uns["falcon"]["params"]
    b, before = classes(found, "B cell"), fingerprint(found)
    array = fsc.Falcon(6, quick["config"], device="cpu").fit(planted.X, planted.obs["coarse"].to_numpy())
    for model, error, message in (
        (array, ValueError, r"model is another model than the one that these classes are from"),
        (fsc.Falcon(6), TypeError, r"model must be a fitted falcon_sc.Falcon or the folder of one, found Falcon"),
        ("nowhere", FileNotFoundError, r"^model='.*nowhere' holds no saved Falcon"),
        (3, TypeError, r"found int"),
    ):
        with pytest.raises(error, match=message):
            fsc.tl.merge(found, b[:2], model=model)
    assert fingerprint(found) == before
    assert model_of(found).decisions_ == ()


def test_what_is_refused_changes_nothing(found: AnnData, fingerprint) -> None:
    b, before = classes(found, "B cell"), fingerprint(found)
    with pytest.raises(KeyError, match=r"adata.uns\['other'\] holds no result"):
        fsc.tl.merge(found, b, key="other")
    with pytest.raises(ValueError, match="different coarse classes"):
        fsc.tl.merge(found, [b[0], classes(found, "µ")[0]])
    with pytest.raises(ValueError, match="no fine class"):
        fsc.tl.rename(found, {"B": "x"})
    assert fingerprint(found) == before
    found.obs[FINE] = found.obs[FINE].cat.rename_categories({b[0]: "by hand"})
    with pytest.raises(ValueError, match=r"falcon_fine'\] holds 'by hand', which .* give those cells their old names"):
        fsc.tl.merge(found, b)


def test_a_model_that_cannot_be_written_changes_nothing(found: AnnData, fingerprint, full_disk) -> None:
    b, before = classes(found, "B cell"), fingerprint(found)
    with full_disk(), pytest.raises(OSError, match="File too large"):
        fsc.tl.merge(found, b)
    assert fingerprint(found) == before
    assert model_of(found).decisions_ == ()


def test_a_copy_leaves_object_and_saved_model(found: AnnData, fingerprint) -> None:
    b, before = classes(found, "B cell"), fingerprint(found)
    merged = fsc.tl.merge(found, b[:2], "both", copy=True)
    renamed = fsc.tl.rename(merged, {"both": "B"}, copy=True, model=found.uns["falcon"]["params"]["saved_model"])
    assert fingerprint(found) == before
    assert "both" in merged.uns["falcon"]["fine_names"]
    np.testing.assert_array_equal(model_of(found).fine_names_, renamed.uns["falcon"]["fine_names"])
    check_agreement(renamed)


@pytest.mark.parametrize("how", ["merge", "cut", "refine"])
def test_a_copy_has_no_part_in_the_model_of_the_object(found: AnnData, tmp_path: Path, how: str) -> None:
    """What is decided about the copy later goes into a folder of its own, if it was given one."""
    own, names = tmp_path / "own", classes(found, "B cell")
    model_of(found).save(own)
    copies = []
    for model in (None, own):
        match how:
            case "merge":
                copies.append(fsc.tl.merge(found, names[:2], model=model, copy=True))
            case "cut":
                copies.append(fsc.tl.cut(found, 8, model=model, copy=True))
            case "refine":
                most = int((np.asarray(found.uns["falcon"]["tree"]["leaf_coarse"]) == 0).sum())
                copies.append(fsc.tl.refine(found, "B cell", most + 1, model=model, copy=True, progress_bar=False))
    alone, with_own = copies
    for adata in copies:
        fsc.tl.rename(adata, {adata.uns["falcon"]["fine_names"][-1]: "glia"})
    assert "saved_model" not in alone.uns["falcon"]["params"]
    check_agreement(with_own)
    assert model_of(with_own).fine_names_[-1] == "glia"
    fsc.tl.merge(found, names)  # without a warning: its model has heard of nothing else
    check_agreement(found)
