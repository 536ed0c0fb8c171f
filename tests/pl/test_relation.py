from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

import falcon_sc as fsc
from falcon_sc.pl._style import fine_colors, parent_colors

if TYPE_CHECKING:
    from anndata import AnnData


def _texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_one_bar_for_each_fine_class_under_its_coarse_class(discovered: AnnData, fingerprint) -> None:
    before = fingerprint(discovered)
    ax = fsc.pl.relation(discovered)
    assert isinstance(ax, Axes)
    sizes = discovered.obs["falcon_fine"].value_counts(sort=False)
    assert [bar.get_width() for bar in ax.patches] == sizes.tolist()
    names = discovered.uns["falcon"]["fine_names"].tolist()
    assert [text for text in _texts(ax) if text in names] == names
    assert [text for text in _texts(ax) if text in discovered.uns["falcon"]["coarse_names"]] == [
        "B cell", "CD4/CD8 T", "µ glia",
    ]  # fmt: skip
    assert set(map(str, sizes)) <= set(_texts(ax))
    ax.figure.draw_without_rendering()
    assert fingerprint(discovered) == before


def test_bars_of_a_class_stand_together(discovered: AnnData) -> None:
    ax = fsc.pl.relation(discovered)
    tops = [bar.get_y() for bar in ax.patches]
    gaps = [round(after - before, 6) for before, after in pairwise(tops)]
    inside, between = gaps[0], gaps[1]
    assert gaps == [inside, between, inside, between, inside]
    assert between > inside


def test_axes_are_used(discovered: AnnData) -> None:
    _, axes = plt.subplots(1, 2)
    assert fsc.pl.relation(discovered, ax=axes[1]) is axes[1]
    assert not axes[0].patches
    assert len(plt.get_fignums()) == 1


def test_colors_of_scanpy_are_kept(discovered: AnnData) -> None:
    adata = discovered.copy()
    adata.uns["coarse_colors"] = ["#ff0000", "#00ff00", "#0000ff"]
    colors = parent_colors(adata, "falcon", ["B cell", "CD4/CD8 T", "µ glia"])
    assert list(colors.values()) == ["#ff0000", "#00ff00", "#0000ff"]
    assert list(fine_colors(adata, "falcon")) == adata.uns["falcon"]["fine_names"].tolist()
    adata.uns["coarse_colors"] = ["#ff0000"]  # of an earlier annotation
    assert parent_colors(adata, "falcon", ["B cell"])["B cell"] != "#ff0000"


def test_nothing_to_draw(planted: AnnData, discovered: AnnData) -> None:
    with pytest.raises(KeyError, match=r"adata.uns\['falcon'\] holds no result: run falcon_sc.tl.discover"):
        fsc.pl.relation(planted)
    with pytest.raises(KeyError, match=r"key_added='other'"):
        fsc.pl.relation(discovered, key="other")
    half = discovered.copy()
    del half.obs["falcon_fine"]
    with pytest.raises(KeyError, match=r"adata.obs\['falcon_fine'\] is missing: run falcon_sc.tl.discover"):
        fsc.pl.relation(half)


def test_scanpy_draws_the_same_colors(discovered: AnnData) -> None:
    import scanpy as sc

    adata = discovered.copy()
    adata.obsm["X_umap"] = adata.obsm["X_falcon"][:, :2]
    bars = [to_hex(bar.get_facecolor()) for bar in fsc.pl.relation(adata).patches]
    assert adata.uns["falcon_fine_colors"] == bars
    sc.pl.umap(adata, color=["coarse", "falcon_fine"], show=False)
    assert list(adata.uns["falcon_fine_colors"]) == bars
    # of a coarse class scanpy chooses the color that its fine classes are shades of
    stems = [line.get_color() for line in fsc.pl.relation(discovered).lines]
    assert [to_hex(color) for color in adata.uns["coarse_colors"]] == stems
