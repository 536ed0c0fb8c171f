from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

import falcon_sc as fsc

if TYPE_CHECKING:
    from anndata import AnnData


@pytest.fixture
def estimated(cells: AnnData) -> AnnData:
    """Numbers as `tl.estimate_n_fine` writes them."""
    cells.uns["falcon_n_fine"] = {
        "coarse_names": np.array(["B cell", "CD4/CD8 T", "µ glia"]),
        "sizes": np.array([90, 1060, 90]),
        "stable": np.array([2, 1, 3]),
        "estimate": np.array([3, 1, 4]),
        "support": np.array([[np.nan, 1.5, 0.5, 0.3], [np.nan, 0.3, 0.2, np.nan], [np.nan, 0.8, 1.3, 0.0]]),
        "params": {"coarse_key": "coarse"},
    }
    return cells


def test_a_range_for_each_coarse_class(estimated: AnnData, fingerprint) -> None:
    before = fingerprint(estimated)
    ax = fsc.pl.n_fine(estimated)
    assert isinstance(ax, Axes)
    ranges, dots, marks = ax.collections
    assert [segment[:, 0].tolist() for segment in ranges.get_segments()] == [[2, 3], [1, 1], [3, 4]]
    assert marks.get_offsets().tolist() == [[3, 0], [1, 1], [4, 2]]
    assert [text.get_text() for text in ax.get_yticklabels()] == [
        "B cell\n90 cells", "CD4/CD8 T\n1,060 cells", "µ glia\n90 cells",
    ]  # fmt: skip
    assert ax.get_title(loc="left") == "8 fine classes by supported splits, 6 by a chain of them"
    # what has no support at all and what was not tried have no dot; what is supported is filled
    assert dots.get_offsets().tolist() == [[2, 0], [3, 0], [4, 0], [2, 1], [3, 1], [2, 2], [3, 2]]
    assert np.argmax(dots.get_sizes()) == 0
    assert (dots.get_facecolor()[:, 3] > 0).tolist() == [True, False, False, False, False, False, True]
    ax.figure.draw_without_rendering()
    assert fingerprint(estimated) == before


def test_axes_and_colors_are_used(estimated: AnnData) -> None:
    estimated.uns["coarse_colors"] = ["#ff0000", "#00ff00", "#0000ff"]
    _, axes = plt.subplots(1, 2)
    assert fsc.pl.n_fine(estimated, ax=axes[1]) is axes[1]
    assert not axes[0].collections
    assert axes[1].collections[-1].get_facecolor()[:, :3].tolist() == np.eye(3).tolist()


def test_after_a_subset_colors_go_by_name_and_none_comes_twice(estimated: AnnData) -> None:
    estimated.uns["coarse_colors"] = ["#ff0000", "#1f77b4", "#0000ff"]  # the second is the first of the palette
    part = estimated[estimated.obs["coarse"] != "B cell"].copy()
    part.obs["coarse"] = part.obs["coarse"].cat.reorder_categories(["µ glia", "CD4/CD8 T"])
    part.uns["coarse_colors"] = ["#0000ff", "#1f77b4"]
    ax = fsc.pl.n_fine(part)
    colors = [to_hex(color) for color in ax.collections[-1].get_facecolor()]
    assert colors[1:] == ["#1f77b4", "#0000ff"]
    assert colors[0] not in colors[1:]
    assert [text.get_text().partition("\n")[0] for text in ax.get_yticklabels()] == ["B cell", "CD4/CD8 T", "µ glia"]


def test_nothing_to_draw(planted: AnnData, discovered: AnnData) -> None:
    with pytest.raises(KeyError, match=r"uns\['falcon_n_fine'\] holds no estimate: run falcon_sc.tl.estimate_n_fine"):
        fsc.pl.n_fine(planted)
    with pytest.raises(KeyError, match=r"key_added='falcon'"):
        fsc.pl.n_fine(discovered, key="falcon")
