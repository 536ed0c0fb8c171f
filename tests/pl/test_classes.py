"""Every reader of a result goes by class name, whatever became of the object since."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

import falcon_sc as fsc
from falcon_sc.pl._classes import read_classes
from falcon_sc.pl._style import fine_colors, parent_colors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData
    from matplotlib.axes import Axes

FINE, COARSE = "falcon_fine", "coarse"


def _rename(adata: AnnData, names: dict[str, str]) -> AnnData:
    adata.obs[FINE] = adata.obs[FINE].cat.rename_categories(names)
    return adata


def _merge(adata: AnnData, names: dict[str, str]) -> AnnData:
    adata.obs[FINE] = adata.obs[FINE].astype(str).replace(names).astype("category")
    return adata


def _reorder(adata: AnnData, _: Path) -> AnnData:
    adata.obs[FINE] = adata.obs[FINE].cat.reorder_categories(adata.obs[FINE].cat.categories[::-1])
    return adata


def _as_text(adata: AnnData, _: Path) -> AnnData:
    for name in (FINE, COARSE):
        adata.obs[name] = adata.obs[name].astype(str)
    return adata


def _concat(adata: AnnData, _: Path) -> AnnData:
    other = adata.copy()
    other.obs_names = "other " + other.obs_names
    return ad.concat([adata, other], uns_merge="same")


def _h5ad(adata: AnnData, folder: Path) -> AnnData:
    adata.write_h5ad(folder / "cells.h5ad")
    return ad.read_h5ad(folder / "cells.h5ad")


def _zarr(adata: AnnData, folder: Path) -> AnnData:
    adata.write_zarr(folder / "cells.zarr")
    return ad.read_zarr(folder / "cells.zarr")


# names in the picture -> their parents, where they are not those of the run
NEW: dict[str, dict[str, str]] = {
    "renamed": {"Naive B": "B cell", "µ:new": "µ glia"},
    "merged, renamed": {"all B": "B cell"},
    "merged across": {"doublets": "B cell|µ glia"},
}
CHANGES: dict[str, Callable[[AnnData, Path], AnnData]] = {
    "as it was": lambda adata, _: adata,
    "coarse class left out": lambda adata, _: adata[adata.obs[COARSE] != "B cell"].copy(),
    "fine class left out": lambda adata, _: adata[adata.obs[FINE] != "CD4/CD8 T:0"].copy(),
    "view": lambda adata, _: adata[adata.obs[COARSE] != "CD4/CD8 T"],
    "merged": lambda adata, _: _merge(adata, {"B cell:1": "B cell:0"}),
    "merged, renamed": lambda adata, _: _merge(adata, {"B cell:0": "all B", "B cell:1": "all B"}),
    "merged across": lambda adata, _: _merge(adata, {"B cell:1": "doublets", "µ glia:0": "doublets"}),
    "reordered": _reorder,
    "renamed": lambda adata, _: _rename(adata, {"B cell:0": "Naive B", "µ glia:1": "µ:new"}),
    "text": _as_text,
    "concatenated": _concat,
    "h5ad": _h5ad,
    "zarr": _zarr,
}


@pytest.fixture(params=CHANGES)
def changed(request: pytest.FixtureRequest, discovered: AnnData, tmp_path: Path) -> tuple[AnnData, dict[str, str]]:
    """The object after a change, and the parent of each class that has cells."""
    adata = CHANGES[request.param](discovered.copy(), tmp_path)
    new = NEW.get(request.param, {})
    present = adata.obs[FINE].astype(str).unique()
    return adata, {name: new.get(name, name.rpartition(":")[0]) for name in present}


def _rows(ax: Axes, size: float) -> list[str]:
    """Texts of one size, from top to bottom."""
    texts = [text for text in ax.texts if text.get_fontsize() == size]
    return [text.get_text() for text in sorted(texts, key=lambda text: text.xy[1])]


def test_relation(changed: tuple[AnnData, dict[str, str]]) -> None:
    adata, parents = changed
    ax = fsc.pl.relation(adata)
    names, widths = _rows(ax, 8), [int(bar.get_width()) for bar in ax.patches]
    sizes = adata.obs[FINE].astype(str).value_counts().to_dict()
    assert {name: width for name, width in zip(names, widths, strict=True) if width} == sizes
    assert _rows(ax, 7.5) == list(map(str, widths))
    # each below the name of its parent: groups are drawn from top to bottom
    groups = list(dict.fromkeys(parents.get(name, name.rpartition(":")[0]) for name in names))
    assert _rows(ax, 10) == groups
    tops = [bar.get_y() for bar in ax.patches]
    after_gap = [i for i, step in enumerate(np.diff(tops), 1) if step > 1.5]
    own = [parents.get(name, name.rpartition(":")[0]) for name in names]
    assert after_gap == [i for i in range(1, len(own)) if own[i] != own[i - 1]]


def test_confident(changed: tuple[AnnData, dict[str, str]]) -> None:
    adata, parents = changed
    confidence = adata.obs["falcon_confidence"].groupby(adata.obs[FINE].astype(str)).median()
    ax = fsc.pl.confident(adata, n_cells=1000)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert sorted(names) == sorted(parents)
    assert [text.get_text() for text in ax.texts] == [f"{confidence[name]:.2f}" for name in names]
    (dots,) = ax.collections
    genes = [label.get_text() for label in ax.get_xticklabels()]
    found = dots.get_sizes().reshape(len(names), len(genes))
    expressed = pd.DataFrame((adata[:, genes].X > 0).toarray()).groupby(adata.obs[FINE].astype(str).to_numpy()).mean()
    np.testing.assert_allclose(found / found.max(), expressed.loc[names] / expressed.to_numpy().max())
    parent = next(iter(parents.values()))
    ax = fsc.pl.confident(adata, coarse=parent)
    assert {label.get_text() for label in ax.get_yticklabels()} == {n for n, own in parents.items() if own == parent}


def test_tree(changed: tuple[AnnData, dict[str, str]]) -> None:
    adata, parents = changed
    if set(parents) - set(adata.uns["falcon"]["fine_names"]):
        with pytest.raises(ValueError, match="the tree does not know them: give those cells their old names back"):
            fsc.pl.tree(adata)
        return
    ax = fsc.pl.tree(adata)
    rows = {text.get_position()[1]: text.get_text() for text in ax.texts if text.get_fontsize() == 8}
    cells = {
        rows[text.get_position()[1]]: text.get_text().split()[0]
        for text in ax.texts
        if text.get_horizontalalignment() == "right"
    }
    sizes = adata.obs[FINE].astype(str).value_counts()
    assert cells == {name: str(sizes.get(name, 0)) for name in cells}
    assert set(parents) <= set(cells)
    titles = [text.get_text() for text in ax.texts if text.get_weight() == "bold"]
    assert titles == list(
        dict.fromkeys(name.rpartition(":")[0] for name in adata.uns["falcon"]["fine_names"] if name in cells)
    )
    assert set(titles) == set(parents.values())


def test_history(changed: tuple[AnnData, dict[str, str]], discovered: AnnData) -> None:
    losses, used, _ = fsc.pl.history(changed[0]).axes
    np.testing.assert_array_equal(losses.lines[0].get_ydata(), discovered.uns["falcon"]["history"]["loss"])
    assert used.get_title(loc="left") == "fine classes in use (of 6)"  # of the run, not of what is left


def test_colors(changed: tuple[AnnData, dict[str, str]]) -> None:
    adata, parents = changed
    colors = fine_colors(adata, "falcon")
    assert set(parents) <= set(colors)
    assert len(set(colors.values())) == len(colors)


def test_a_coarse_class_has_one_color_in_all_pictures(discovered: AnnData) -> None:
    parts = discovered, discovered[discovered.obs[COARSE] == "µ glia"].copy()
    stems = [fsc.pl.relation(part).lines[-1].get_color() for part in parts]
    stems += [fsc.pl.confident(discovered, coarse="µ glia").lines[0].get_color()]
    assert len(set(stems)) == 1


def test_fine_classes_keep_their_colors_when_others_lose_their_cells(discovered: AnnData) -> None:
    part = discovered[discovered.obs[COARSE] == "µ glia"].copy()
    assert fine_colors(part, "falcon") == fine_colors(discovered, "falcon")
    bars = [to_hex(bar.get_facecolor()) for bar in fsc.pl.relation(part).patches]
    assert bars == list(part.uns["falcon_fine_colors"])


def test_colors_that_the_user_chose_for_fine_classes(discovered: AnnData) -> None:
    adata = discovered.copy()
    chosen = ["#000001", "#000002", "#000003", "#000004", "#000005", "#000006"]
    adata.uns["falcon_fine_colors"] = chosen
    assert [to_hex(bar.get_facecolor()) for bar in fsc.pl.relation(adata).patches] == chosen


def test_what_the_picture_of_a_merged_class_leaves_out(discovered: AnnData) -> None:
    merged = _merge(discovered.copy(), {"B cell:1": "B cell:0"})
    assert _rows(fsc.pl.relation(merged), 8)[:2] == ["B cell:0", "B cell:1"]  # without cells, and that is said
    named = _merge(discovered.copy(), {"B cell:0": "all B", "B cell:1": "all B"})
    assert _rows(fsc.pl.relation(named), 8)[:2] == ["all B", "CD4/CD8 T:0"]


def test_an_untouched_and_a_renamed_class_keep_their_places(discovered: AnnData) -> None:
    names = [str(name) for name in discovered.uns["falcon"]["fine_names"]]
    assert list(read_classes(discovered, "falcon").names) == names
    renamed = _rename(discovered.copy(), {name: name.replace(":", " no ") for name in names})
    assert list(read_classes(renamed, "falcon").names) == [name.replace(":", " no ") for name in names]


def test_names_of_the_coarse_classes_that_were_changed_are_shown(discovered: AnnData) -> None:
    adata = _rename(discovered.copy(), {"B cell:0": "Naive B"})
    adata.obs[COARSE] = adata.obs[COARSE].cat.rename_categories({"B cell": "lymphoid", "CD4/CD8 T": "T"})
    adata.uns["coarse_colors"] = ["#ff0000", "#00ff00", "#0000ff"]
    classes = read_classes(adata, "falcon")
    assert list(dict.fromkeys(classes.parents)) == ["lymphoid", "T", "µ glia"]
    assert set(classes.names[classes.parents == "lymphoid"]) == {"Naive B", "B cell:1"}
    assert list(parent_colors(adata, "falcon", ["T", "lymphoid"]).values()) == ["#00ff00", "#ff0000"]
    # a column that says something else altogether renames nothing
    adata.obs[COARSE] = np.array(["left", "right"])[np.arange(adata.n_obs) % 2]
    assert set(read_classes(adata, "falcon").parents) - {"left|right"} == {"B cell", "CD4/CD8 T", "µ glia"}


def test_coarse_classes_that_changed_their_names_with_each_other(discovered: AnnData) -> None:
    adata = discovered.copy()
    adata.obs[COARSE] = adata.obs[COARSE].cat.rename_categories({"B cell": "µ glia", "µ glia": "B cell"})
    classes = read_classes(adata, "falcon")
    assert set(classes.names[classes.parents == "µ glia"]) == {"B cell:0", "B cell:1"}
    assert set(classes.names[classes.parents == "B cell"]) == {"µ glia:0", "µ glia:1"}
    table = adata.obs.groupby(FINE, observed=True)[COARSE].unique()
    assert all(table[name] == [parent] for name, parent in zip(classes.names, classes.parents, strict=True))
    ax = fsc.pl.tree(adata, "B cell", n_markers=0)
    assert {"µ glia:0", "µ glia:1"} <= {text.get_text() for text in ax.texts}


def test_the_trees_of_coarse_classes_that_are_one_now(discovered: AnnData) -> None:
    adata = discovered.copy()
    adata.obs[COARSE] = adata.obs[COARSE].astype(str).replace({"B cell": "immune", "CD4/CD8 T": "immune"})
    assert set(read_classes(adata, "falcon").parents) == {"immune", "µ glia"}
    with pytest.raises(
        ValueError, match="several coarse classes of the run, with a tree each, are called 'immune' now"
    ):
        fsc.pl.tree(adata)


@pytest.mark.parametrize("gone", ["coarse", "proba"])
def test_labels_or_probabilities_say_the_parent_of_a_new_name(discovered: AnnData, gone: str) -> None:
    adata = _rename(discovered.copy(), {"CD4/CD8 T:1": "killer"})
    if gone == "coarse":
        del adata.obs[COARSE]  # as after `predict` without coarse_key
    else:
        del adata.obsm["falcon_proba"]
    classes = read_classes(adata, "falcon")
    assert classes.parents[list(classes.names).index("killer")] == "CD4/CD8 T"
    adata.obs = adata.obs.drop(columns=COARSE, errors="ignore")
    adata.obsm.pop("falcon_proba", None)
    message = r"falcon_fine'\] holds 'killer', which .* nothing says to which coarse class they belong. Put back"
    for draw in (fsc.pl.relation, fsc.pl.confident):
        with pytest.raises(ValueError, match=message):
            draw(adata)


def test_two_data_sets(planted: AnnData, quick) -> None:
    adata = planted.copy()
    adata.obs["own"] = np.where(
        adata.obs["donor"] == "d1", adata.obs["coarse"], "any " + adata.obs["coarse"].astype(str)
    )
    fsc.tl.discover(adata, "own", 6, dataset_key="donor", **quick)
    before = read_classes(adata, "falcon")
    largest = before.names[before.sizes.argmax()]
    after = read_classes(_rename(adata, {largest: "largest"}), "falcon")
    parent = before.parents[before.sizes.argmax()]
    assert "|" in parent  # the label of a cell is a part of it only
    assert after.parents[list(after.names).index("largest")] == parent


def test_missing_labels_that_became_text(discovered: AnnData) -> None:
    adata = discovered.copy()
    adata.obs.loc[adata.obs_names[:20], [FINE, "falcon_confidence"]] = None
    adata.obs[FINE] = adata.obs[FINE].astype(object).where(adata.obs[FINE].notna(), "nan")
    classes = read_classes(adata, "falcon")
    assert list(classes.names) == list(discovered.uns["falcon"]["fine_names"])
    assert (classes.codes[:20] == -1).all()
    assert len(fsc.pl.confident(adata).get_yticklabels()) == 6
    adata.uns["falcon"] = adata.uns["falcon"] | {"fine_names": np.array(["nan", *classes.names[1:]])}
    adata.obs[FINE] = adata.obs[FINE].replace({classes.names[0]: "nan"})  # a class of that name is no missing label
    assert read_classes(adata, "falcon").names[0] == "nan"


def test_numbers_for_names(discovered: AnnData) -> None:
    adata = discovered.copy()
    adata.obs[COARSE] = adata.obs[COARSE].cat.codes.astype(float)  # as pandas keeps integers beside missing ones
    adata.obs[FINE] = adata.obs[FINE].cat.codes
    classes = read_classes(adata, "falcon")
    assert dict(zip(classes.names, classes.parents, strict=True)) == dict(zip("012345", "001122", strict=True))
    assert len(fsc.pl.confident(adata, coarse=1).get_yticklabels()) == 2


def test_cells_without_confidence_are_taken_last(discovered: AnnData) -> None:
    adata = discovered.copy()
    here = (adata.obs[FINE] == "B cell:0").to_numpy()
    names = adata.obs_names[here]
    adata.obs.loc[names[1:], "falcon_confidence"] = None
    sure = adata.obs.loc[names[0], "falcon_confidence"]
    assert fsc.pl.confident(adata).texts[0].get_text() == f"{sure:.2f}"
    adata.obs.loc[names, "falcon_confidence"] = None
    assert fsc.pl.confident(adata).texts[0].get_text() == "none"


def test_nothing_to_draw(discovered: AnnData) -> None:
    joined = ad.concat([discovered[:100], discovered[100:]])
    nobody = discovered.copy()
    nobody.obs[FINE] = None
    unsure = discovered.copy()
    del unsure.obs["falcon_confidence"]
    unsaid = discovered.copy()
    unsaid.uns["falcon"] = {name: value for name, value in unsaid.uns["falcon"].items() if name != "history"}
    for draw in (fsc.pl.relation, fsc.pl.confident, fsc.pl.history):
        with pytest.raises(KeyError, match=r"holds no result: .* \(after anndata.concat: give it uns_merge='same'"):
            draw(joined)
    for draw in (fsc.pl.relation, fsc.pl.confident):
        with pytest.raises(ValueError, match=r"holds no fine class: it is missing \(NA\) for all 240 cells"):
            draw(nobody)
    with pytest.raises(KeyError, match=r"adata.obs\['falcon_confidence'\] is missing"):
        fsc.pl.confident(unsure)
    with pytest.raises(KeyError, match=r"holds no history: .* Draw the history of each part"):
        fsc.pl.history(unsaid)


def test_runs_that_differ_joined(discovered: AnnData) -> None:
    """anndata.concat keeps what they share; what is gone is named, and so is what to do."""
    other = discovered.copy()
    other.obs_names = [f"other {name}" for name in other.obs_names]
    about = dict(other.uns["falcon"])
    about["history"] = {name: series + 1 for name, series in about["history"].items() if name != "epoch"} | {
        "epoch": about["history"]["epoch"]
    }
    about["tree"] = about["tree"] | {"n_left": about["tree"]["n_left"] + 1}
    other.uns["falcon"] = about
    both = ad.concat([discovered, other], uns_merge="same")
    fsc.pl.relation(both)
    fsc.pl.composition(both, "donor")
    with pytest.raises(KeyError, match=r"\['tree'\] lacks 'n_left'.*anndata.concat.*of each part"):
        fsc.pl.tree(both)
    with pytest.raises(KeyError, match=r"\['history'\] lacks 'n_used', .*'loss', .*anndata.concat.*of each part"):
        fsc.pl.history(both)


def test_results_of_different_classes_joined(discovered: AnnData, quick) -> None:
    """There is no result any more, whatever uns_merge: what to do is said, and can be done under the same key."""
    other = discovered.copy()
    other.obs_names = [f"other {name}" for name in other.obs_names]
    fsc.tl.discover(other, "coarse", 7, **quick)
    both = ad.concat([discovered, other], uns_merge="same")
    for function in (fsc.pl.relation, fsc.pl.tree, fsc.tl.markers, lambda one: fsc.tl.cut(one, 4)):
        with pytest.raises(
            KeyError, match=r"lacks 'M', 'fine_names'.*of different runs.*falcon_sc.tl.predict.*discover"
        ):
            function(both)
    fsc.tl.discover(both, "coarse", 5, **quick)
    assert len(both.uns["falcon"]["fine_names"]) == 5


@pytest.mark.parametrize("gone", ["M", "coarse_names"])
def test_a_result_that_lacks_something(discovered: AnnData, gone: str) -> None:
    adata = discovered.copy()
    adata.uns["falcon"] = {name: part for name, part in adata.uns["falcon"].items() if name != gone}
    for function in (fsc.pl.relation, fsc.pl.tree, fsc.tl.markers, lambda one: fsc.tl.rename(one, {"B cell:0": "B"})):
        with pytest.raises(KeyError, match=rf"adata.uns\['falcon'\] lacks '{gone}': run falcon_sc.tl.discover"):
            function(adata)


def test_a_result_whose_parts_do_not_fit(discovered: AnnData) -> None:
    adata = discovered.copy()
    adata.uns["falcon"] = dict(adata.uns["falcon"]) | {"M": adata.uns["falcon"]["M"][:-1]}
    for function in (fsc.pl.relation, fsc.tl.markers, lambda one: fsc.tl.rename(one, {"B cell:0": "B"})):
        with pytest.raises(ValueError, match=r"M of adata.uns\['falcon'\] has the shape \(5, 3\).*6 fine and 3 coarse"):
            function(adata)


def test_a_tree_that_lacks_something(discovered: AnnData, fingerprint) -> None:
    adata = discovered.copy()
    adata.uns["falcon"] = dict(adata.uns["falcon"]) | {"tree": {"left": adata.uns["falcon"]["tree"]["left"]}}
    before = fingerprint(adata)
    with pytest.raises(ValueError, match=r"\['tree'\] lacks 'leaf_coarse', 'leaf_names', 'class_of_leaf'"):
        fsc.tl.rename(adata, {"B cell:0": "B"})
    assert fingerprint(adata) == before
    adata.uns["falcon"].pop("tree")  # as the error says
    fsc.tl.rename(adata, {"B cell:0": "B"})
    assert "B" in adata.obs["falcon_fine"].cat.categories
