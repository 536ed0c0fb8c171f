from __future__ import annotations

import warnings
from itertools import pairwise
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.patches import PathPatch, Rectangle

import falcon_sc as fsc

if TYPE_CHECKING:
    from anndata import AnnData


def _bands(ax: Axes) -> list[tuple[float, float, float]]:
    """Where each band begins on the left, where it ends on the right, and how wide it is."""
    corners = [patch.get_path().vertices for patch in ax.patches if isinstance(patch, PathPatch)]
    return [(path[0, 1], path[3, 1], path[7, 1] - path[0, 1]) for path in corners]


def _groups(ax: Axes) -> list[tuple[float, float, float]]:
    """Side, top and size of each group."""
    bars = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    return [(round(bar.get_x() + bar.get_width() / 2), bar.get_y(), bar.get_height()) for bar in bars]


def test_bands_are_the_cells_in_both(discovered: AnnData, fingerprint) -> None:
    before = fingerprint(discovered)
    ax = fsc.pl.flow(discovered, "fine", "falcon_fine")
    assert isinstance(ax, Axes)
    table = pd.crosstab(discovered.obs["fine"].astype(str), discovered.obs["falcon_fine"].astype(str))
    bands = _bands(ax)
    assert sorted(width for _, _, width in bands) == sorted(table.to_numpy()[table.to_numpy() > 0])
    groups = _groups(ax)
    for side, place in ((0, 0), (1, 1)):
        sizes = [size for x, _, size in groups if x == side]
        assert sorted(sizes) == sorted(table.sum(axis=1 - side))
        # the bands of a group fill it
        for x, top, size in groups:
            if x == side:
                inside = [band for band in bands if top - 1e-6 <= band[place] < top + size - 1e-6]
                assert sum(width for _, _, width in inside) == pytest.approx(size)
        edges = sorted((top, top + size) for x, top, size in groups if x == side)
        assert all(above[1] < below[0] for above, below in pairwise(edges))
    assert fingerprint(discovered) == before


def test_the_same_labels_are_bands_that_do_not_cross(discovered: AnnData) -> None:
    adata = discovered.copy()
    other = {name: f"{'zyxwvu'[i]}" for i, name in enumerate(adata.obs["falcon_fine"].cat.categories)}
    adata.obs["other"] = adata.obs["falcon_fine"].astype(str).map(other)
    ax = fsc.pl.flow(adata, "falcon_fine", "other")
    assert all(start == pytest.approx(end) for start, end, _ in _bands(ax))
    assert [text.get_text() for text in ax.texts if text.get_text() in other.values()] == list(other.values())


def test_colors_are_those_of_scanpy(discovered: AnnData) -> None:
    ax = fsc.pl.flow(discovered, "falcon_fine", "coarse")
    bars = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    assert [to_hex(bar.get_facecolor()) for bar in bars[:6]] == discovered.uns["falcon_fine_colors"]


def test_missing_labels(discovered: AnnData) -> None:
    adata = discovered.copy()
    adata.obs["new"] = adata.obs["falcon_fine"].astype(object)
    adata.obs.loc[adata.obs_names[:20], "new"] = None
    adata.obs.loc[adata.obs_names[:5], "falcon_fine"] = None  # in neither of them
    ax = fsc.pl.flow(adata, "falcon_fine", "new")
    assert sum(width for _, _, width in _bands(ax)) == 235
    assert [text.get_text() for text in ax.texts].count("missing") == 1


def test_refusals(discovered: AnnData) -> None:
    with pytest.raises(KeyError, match="left='x' is not a column"):
        fsc.pl.flow(discovered, "x", "fine")
    with pytest.raises(KeyError, match="right='x' is not a column"):
        fsc.pl.flow(discovered, "fine", "x")
    adata = discovered.copy()
    adata.obs["empty"] = None
    with pytest.raises(ValueError, match="right='empty' holds only missing values"):
        fsc.pl.flow(adata, "fine", "empty")


@pytest.mark.parametrize("n", [1, 40])
def test_many_long_names_fit(discovered: AnnData, n: int) -> None:
    adata = discovered.copy()
    adata.obs["many"] = [f"CD8-positive, alpha-beta cytokine secreting effector T {i}" for i in np.arange(240) % n]
    with mpl.style.context("dark_background"), warnings.catch_warnings(action="error"):
        ax = fsc.pl.flow(adata, "many", "falcon_fine")
        ax.figure.canvas.draw()
        box, (width, height) = ax.figure.get_tightbbox(), ax.figure.get_size_inches()
        names = [text for text in ax.texts if text.get_text().startswith("CD8")]
        tops = sorted((text.get_window_extent().y0, text.get_window_extent().y1) for text in names)
    assert min(box.x0, box.y0) >= -0.02
    assert box.x1 <= width + 0.02
    assert box.y1 <= height + 0.02
    assert len(names) == n
    assert all(lower[1] <= upper[0] + 1 for lower, upper in pairwise(tops))  # no name on another


@pytest.mark.parametrize("width", [4, 30])
def test_names_stand_beside_their_bars(discovered: AnnData, width: float) -> None:
    import matplotlib.pyplot as plt

    ax = fsc.pl.flow(discovered, "coarse", "fine", ax=plt.subplots(figsize=(width, 3))[1])
    bars = [patch.get_window_extent() for patch in ax.patches if isinstance(patch, Rectangle)]
    middle = (bars[0].x0 + bars[-1].x1) / 2
    names = [text for text in ax.texts if text.get_ha() != "center"]
    assert len(names) == len(bars)
    for bar, name in zip(bars, names, strict=True):
        drawn = name.get_window_extent()
        assert 0 < (bar.x0 - drawn.x1 if bar.x0 < middle else drawn.x0 - bar.x1) < 10
