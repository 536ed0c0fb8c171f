from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

import falcon_sc as fsc

if TYPE_CHECKING:
    from anndata import AnnData


def _shares(ax: Axes) -> pd.DataFrame:
    """Width of each bar, by group and by row."""
    rows = [label.get_text() for label in ax.get_yticklabels()]
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    return pd.DataFrame([[bar.get_width() for bar in bars] for bars in ax.containers], index=legend, columns=rows).T


def test_shares_of_each_class_and_of_all(discovered: AnnData, fingerprint) -> None:
    before = fingerprint(discovered)
    ax = fsc.pl.composition(discovered, "donor")
    assert isinstance(ax, Axes)
    fine, donor = discovered.obs["falcon_fine"].astype(str), discovered.obs["donor"].astype(str)
    wanted = pd.crosstab(fine, donor, normalize="index")
    shares = _shares(ax)
    assert list(shares.index) == [*discovered.uns["falcon"]["fine_names"], "all cells"]
    np.testing.assert_allclose(shares.iloc[:-1], wanted.loc[shares.index[:-1]])
    np.testing.assert_allclose(shares.iloc[-1], donor.value_counts(normalize=True).loc[shares.columns])
    sizes = fine.value_counts()
    assert [text.get_text() for text in ax.texts] == [str(sizes[name]) for name in shares.index[:-1]] + ["240"]
    assert ax.get_legend().get_title().get_text() == "donor"
    assert fingerprint(discovered) == before


def test_classes_by_the_names_that_they_have_now(discovered: AnnData) -> None:
    adata = discovered[discovered.obs["coarse"] != "B cell"].copy()
    adata.obs["falcon_fine"] = adata.obs["falcon_fine"].cat.rename_categories({"µ glia:0": "microglia"})
    shares = _shares(fsc.pl.composition(adata, "donor"))
    wanted = pd.crosstab(adata.obs["falcon_fine"], adata.obs["donor"], normalize="index")
    np.testing.assert_allclose(shares.iloc[:-1], wanted.loc[shares.index[:-1]])
    assert "microglia" in shares.index


def test_missing_groups_and_stored_colors(discovered: AnnData) -> None:
    adata = discovered.copy()
    adata.uns["donor_colors"] = ["#ff0000", "#00ff00"]
    adata.obs.loc[adata.obs_names[:30], "donor"] = None
    ax = fsc.pl.composition(adata, "donor")
    assert list(_shares(ax).columns) == ["d1", "d2", "missing"]
    assert [to_hex(bars[0].get_facecolor()) for bars in ax.containers] == ["#ff0000", "#00ff00", "#c8c8c8"]
    adata.obs["number"] = np.arange(240) % 11  # 2 sorts before 10
    assert list(_shares(fsc.pl.composition(adata, "number")).columns) == list(map(str, range(11)))


def test_refusals(discovered: AnnData, planted: AnnData) -> None:
    with pytest.raises(KeyError, match=r"by='nobody' is not a column of adata.obs"):
        fsc.pl.composition(discovered, "nobody")
    with pytest.raises(KeyError, match="holds no result"):
        fsc.pl.composition(planted, "donor")
    adata = discovered.copy()
    adata.obs["donor"] = None
    with pytest.raises(ValueError, match=r"by='donor' holds only missing values"):
        fsc.pl.composition(adata, "donor")


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_long_names_fit(discovered: AnnData, style: str) -> None:
    adata = discovered.copy()
    adata.obs["donor"] = adata.obs["donor"].cat.rename_categories(
        {"d1": "a donor of the first cohort, treated for two weeks, $x"}
    )
    adata.obs["falcon_fine"] = adata.obs["falcon_fine"].cat.rename_categories({"B cell:0": "B" * 55})
    with mpl.style.context(style), warnings.catch_warnings(action="error"):
        ax = fsc.pl.composition(adata, "donor")
        ax.figure.canvas.draw()
        box, (width, height) = ax.figure.get_tightbbox(), ax.figure.get_size_inches()
    assert min(box.x0, box.y0) >= -0.02
    assert box.x1 <= width + 0.05
    assert box.y1 <= height + 0.02
    assert ax.get_window_extent().width > 2 * ax.figure.dpi


def test_groups_that_have_no_order(discovered: AnnData) -> None:
    """Such as pairs of a name and a missing number, which Python cannot sort."""
    adata = discovered.copy()
    adata.obs["pair"] = [("d1", None) if own == "d1" else ("d1", 2) for own in adata.obs["donor"]]
    legend = fsc.pl.composition(adata, "pair").get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["('d1', 2)", "('d1', None)"]
