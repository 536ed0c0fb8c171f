from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.text import Annotation

import falcon_sc as fsc

if TYPE_CHECKING:
    from anndata import AnnData

FINE = "falcon_fine"


def _table(ax: Axes) -> dict[str, tuple[str, str]]:
    """Cells and markers in the row of each class."""
    rows: dict[float, list[tuple[float, str]]] = {}
    for text in ax.texts:
        if not isinstance(text, Annotation):
            x, y = text.get_position()
            rows.setdefault(y, []).append((x, text.get_text()))
    return {row[0][1]: (row[1][1], row[2][1]) for row in map(sorted, rows.values()) if len(row) == 3}


def _titles(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts if text.get_weight() == "bold"]


def _beside_knots(ax: Axes) -> list[str]:
    """Evidence of splits, from top to bottom."""
    texts = [text for text in ax.texts if isinstance(text, Annotation) and text.xycoords == "data"]
    return [text.get_text() for text in sorted(texts, key=lambda text: text.xy[1]) if text.get_text()]


def _knots(ax: Axes) -> list[tuple[str, bool]]:
    """Color of each split from top to bottom, and whether it is filled."""
    knots = [line for line in ax.lines if line.get_marker() == "o" and line.get_xdata()[0] > 0.25]  # left: the legend
    return [
        (to_hex(line.get_color()), line.get_markerfacecolor() == line.get_color())
        for line in sorted(knots, key=lambda line: line.get_ydata()[0])
    ]


def test_each_class_is_named_with_its_cells(discovered: AnnData, fingerprint) -> None:
    before = fingerprint(discovered)
    ax = fsc.pl.tree(discovered)
    assert isinstance(ax, Axes)
    assert _table(ax) == {name: (f"{n} cells", "") for name, n in discovered.obs[FINE].value_counts().items()}
    assert _titles(ax) == ["B cell", "CD4/CD8 T", "µ glia"]
    n = (discovered.obs["coarse"] == "µ glia").sum()
    assert f"{n} cells, 2 fine classes" in [text.get_text() for text in ax.texts]
    marks = [to_hex(line.get_color()) for line in ax.lines if line.get_marker() == "s"]
    assert marks == discovered.uns["falcon_fine_colors"]
    assert fingerprint(discovered) == before


def test_a_split_has_its_evidence(discovered: AnnData) -> None:
    ax = fsc.pl.tree(discovered, "B cell")
    assert _titles(ax) == ["B cell"]
    tree = discovered.uns["falcon"]["tree"]
    parts = [f"{tree['n_left'][j]} | {tree['n_right'][j]} cells" for j in (0, 1)]
    assert _beside_knots(ax) == [
        f"3: {parts[0]}, comes back .00, agreement .10, no markers, 80 % mitochondria, not supported",
        "comes back .82, agreement .95, 14 markers",
        f"4: {parts[1]}, comes back .67, agreement .70, 1 marker",
    ]
    stem = fsc.pl.relation(discovered).lines[0].get_color()
    assert _knots(ax) == [("#8c8c8c", False), (to_hex(stem), True), ("#8c8c8c", True)]
    assert [text.get_text() for text in ax.texts][-4:-1] == [
        "split now, supported by the evidence", "not split now, but supported", "not split now, not supported",
    ]  # fmt: skip
    doubtful = fsc.pl.tree(discovered, "CD4/CD8 T", depth=0)
    assert _beside_knots(doubtful) == ["comes back .02, agreement .50, no markers, not supported"]
    assert [filled for _, filled in _knots(doubtful)] == [False]
    embedding = fsc.pl.tree(discovered, "µ glia", depth=0)  # without counts
    assert _beside_knots(embedding) == ["agreement .60, 55 % depth"]


def test_a_split_stands_at_its_number(discovered: AnnData) -> None:
    adata = discovered.copy()
    tree = adata.uns["falcon"]["tree"]
    tree["class_of_leaf"] = np.array(
        [0, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 5]
    )  # the first split, and the one on its larger side
    adata.uns["falcon"]["M"] = np.array([[1, 0, 0]] * 3 + [[0, 1, 0]] * 2 + [[0, 0, 1]], dtype=np.uint8)
    ax = fsc.pl.tree(adata, "B cell", depth=0)
    at = dict(zip((label.get_text() for label in ax.get_xticklabels()), ax.get_xticks(), strict=True))
    places = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o" and line.get_xdata()[0] > 0.25]
    assert sorted(places) == pytest.approx([at["2"], at["3"]])
    marks = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "s"]
    assert marks == pytest.approx([at["3"] + (at["3"] - at["2"]) / 2] * 3)  # the cut


def test_depth(discovered: AnnData) -> None:
    assert [len(_knots(fsc.pl.tree(discovered, depth=depth))) for depth in (0, 1, None)] == [3, 9, 9]
    adata = discovered.copy()
    tree = adata.uns["falcon"]["tree"]
    tree["class_of_leaf"] = np.where(tree["leaf_coarse"] == 0, 0, tree["class_of_leaf"])
    ax = fsc.pl.tree(adata, "B cell", depth=0)
    assert list(_table(ax)) == ["B cell:0"]
    assert _knots(ax) == []
    assert _knots(fsc.pl.tree(adata, "B cell", depth=1)) == [("#8c8c8c", True)]
    deeper = fsc.pl.tree(adata, "B cell", depth=None)
    assert [text.partition(":")[0] for text in _beside_knots(deeper)] == ["3", "2", "4"]


def test_a_class_on_two_branches_stands_on_both(discovered: AnnData) -> None:
    adata = discovered.copy()
    tree = adata.uns["falcon"]["tree"]
    leaves = np.flatnonzero(tree["leaf_coarse"] == 0)
    tree["class_of_leaf"] = tree["class_of_leaf"].copy()
    tree["class_of_leaf"][leaves] = [0, 1, 1, 0]
    ax = fsc.pl.tree(adata, "B cell")
    assert "comes back .82, agreement .95, 14 markers" in _beside_knots(ax)
    assert [color == "#8c8c8c" for color, _ in _knots(ax)] == [False, True, False]  # the classes lie on both sides
    names = [text.get_text() for text in ax.texts if text.get_text().startswith("B cell:")]
    assert sorted(names) == ["B cell:0", "B cell:0", "B cell:1", "B cell:1"]


def _made(ax: Axes) -> int:
    return sum(color != "#8c8c8c" for color, _ in _knots(ax))


def test_decisions_move_the_cut(just_discovered: AnnData) -> None:
    adata = just_discovered.copy()

    def check(n_made: int) -> None:
        ax = fsc.pl.tree(adata)
        assert _table(ax) == {name: (f"{n} cells", "") for name, n in adata.obs[FINE].value_counts().items()}
        assert _made(ax) == n_made
        plt.close(ax.figure)

    check(3)
    fsc.tl.cut(adata, fixed={"B cell": 3, "µ glia": 1})
    check(3)
    names = [name for name in adata.uns["falcon"]["fine_names"] if name.startswith("B cell:")]
    assert len(names) == 3
    parts = [name for name in names if name.count(".")]  # of the class that was split
    fsc.tl.merge(adata, parts, "again")
    check(2)
    fsc.tl.rename(adata, {"again": "a name"})
    check(2)
    subset = adata[adata.obs["coarse"] != "B cell"].copy()
    fsc.tl.cut(subset, fixed={"µ glia": 2})
    ax = fsc.pl.tree(subset)
    assert _titles(ax) == ["CD4/CD8 T", "µ glia"]
    assert _made(ax) == 2


def test_markers_beside_the_classes(discovered: AnnData) -> None:
    adata = discovered.copy()
    table = fsc.tl.markers(adata)
    rows = table[(table["against"] == "siblings") & (table["p_adjusted"] <= 0.05) & (table["log2_fold_change"] >= 1)]
    wanted = rows[rows["score"] > 0].groupby("fine")["gene"].apply(list)
    shown = {name: genes for name, (_, genes) in _table(fsc.pl.tree(adata, n_markers=2)).items()}
    assert shown == {name: ", ".join(wanted.get(name, ["no marker"])[:2]) for name in shown}
    assert any(", " in genes for genes in shown.values())
    assert set(_table(fsc.pl.tree(adata, n_markers=0)).values()) == set(_table(fsc.pl.tree(discovered)).values())
    adata.uns["falcon_markers_siblings"]["pvals_adj"]["B cell:0"] = 1.0
    assert _table(fsc.pl.tree(adata))["B cell:0"][1] == "no marker"


def test_axes_are_used(discovered: AnnData) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(12, 8))
    assert fsc.pl.tree(discovered, ax=axes[1]) is axes[1]
    assert not axes[0].lines
    figure.canvas.draw()
    assert len(plt.get_fignums()) == 1


def test_no_grid_runs_through_the_texts(discovered: AnnData) -> None:
    with plt.rc_context({"axes.grid": True}):  # as `sc.set_figure_params` sets it
        ax = fsc.pl.tree(discovered)
    ax.figure.draw_without_rendering()
    assert not [line for line in ax.get_xgridlines() + ax.get_ygridlines() if line.get_visible()]
    plt.close(ax.figure)


def test_nothing_to_draw(discovered: AnnData, planted: AnnData) -> None:
    with pytest.raises(KeyError, match=r"adata.uns\['falcon'\] holds no result"):
        fsc.pl.tree(planted)
    with pytest.raises(ValueError, match=r"coarse='T' is no coarse class with fine classes; there are 'B cell'"):
        fsc.pl.tree(discovered, "T")
    with pytest.raises(ValueError, match="depth must be at least 0, found -1"):
        fsc.pl.tree(discovered, depth=-1)
    with pytest.raises(TypeError, match="n_markers must be an int"):
        fsc.pl.tree(discovered, n_markers=1.5)
    adata = discovered.copy()
    del adata.uns["falcon"]["tree"]
    with pytest.raises(
        KeyError,
        match=r"adata.uns\['falcon'\] holds no tree of splits: falcon_sc.tl.discover finds one .*"
        r"start='consensus', prior='within_coarse', restrict_to_coarse=True and leaves_per_class above 1",
    ):
        fsc.pl.tree(adata)


def test_predicted_cells_have_no_tree(discovered: AnnData) -> None:
    """Of the classes of a model there is one; it is that of the cells that these were found in."""
    adata = discovered.copy()
    del adata.uns["falcon"]["tree"]
    adata.uns["falcon"]["params"]["predicted"] = True
    why = (
        r"holds no tree of splits: falcon_sc.tl.predict makes none. The tree is that of the cells that .*discover read"
    )
    with pytest.raises(KeyError, match=why):
        fsc.pl.tree(adata)
    with pytest.raises(ValueError, match=why):
        fsc.tl.cut(adata, 4)
