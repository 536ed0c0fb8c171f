from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.axes import Axes
from scipy import stats

import falcon_sc as fsc

if TYPE_CHECKING:
    from anndata import AnnData


def _genes(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_xticklabels()]


def _classes(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


@pytest.fixture
def labeled(discovered: AnnData) -> AnnData:
    """The planted fine classes in place of the discovered ones: their markers are known."""
    adata = discovered.copy()
    names = adata.uns["falcon"]["fine_names"]
    adata.obs["falcon_fine"] = adata.obs["fine"].cat.rename_categories(list(names))
    return adata


def test_planted_markers_are_drawn(labeled: AnnData, fingerprint) -> None:
    before = fingerprint(labeled)
    ax = fsc.pl.confident(labeled, n_genes=3)
    assert isinstance(ax, Axes)
    assert _classes(ax) == labeled.uns["falcon"]["fine_names"].tolist()
    for code in range(6):
        planted = {f"gene{i}" for i in range(60 + 12 * code, 72 + 12 * code)}
        assert set(_genes(ax)[3 * code : 3 * code + 3]) <= planted
    ax.figure.draw_without_rendering()
    assert fingerprint(labeled) == before


def test_some_coarse_classes(labeled: AnnData) -> None:
    ax = fsc.pl.confident(labeled, coarse=["µ glia", "B cell"])
    assert _classes(ax) == ["B cell:0", "B cell:1", "µ glia:0", "µ glia:1"]  # in the order of the object
    with pytest.raises(ValueError, match="coarse='glia' is no coarse class with fine classes"):
        fsc.pl.confident(labeled, coarse=["B cell", "glia"])


def test_genes_are_ranked_by_welchs_t_in_the_most_confident_cells(labeled: AnnData) -> None:
    ax = fsc.pl.confident(labeled, coarse="µ glia", n_cells=10, n_genes=5)
    values = labeled.X.toarray().astype(np.float64)
    values = np.log1p(values / values.sum(axis=1, keepdims=True) * 1e4)
    expected = []
    fine, confidence = labeled.obs["falcon_fine"], labeled.obs["falcon_confidence"]
    best = {name: confidence[fine == name].nlargest(10, keep="first").index for name in ("µ glia:0", "µ glia:1")}
    for one, other in (("µ glia:0", "µ glia:1"), ("µ glia:1", "µ glia:0")):
        cells, siblings = (values[labeled.obs_names.isin(best[name])] for name in (one, other))
        with np.errstate(invalid="ignore", divide="ignore"):
            t = stats.ttest_ind(cells, siblings, equal_var=False).statistic
            # scipy divides by n - 1, the plot by n, which for groups of one size is the same order
        expected += labeled.var_names[np.argsort(-np.nan_to_num(t), kind="stable")[:5]].tolist()
    assert _genes(ax) == expected
    assert _classes(ax) == ["µ glia:0", "µ glia:1"]


def test_dots_are_shares_and_means(labeled: AnnData) -> None:
    ax = fsc.pl.confident(labeled, n_cells=1000, n_genes=1)
    (dots,) = ax.collections
    genes = _genes(ax)
    sizes = dots.get_sizes().reshape(6, len(genes))
    colors = dots.get_array().reshape(6, len(genes))
    found = (labeled[:, genes].X.toarray() > 0).astype(float)
    for code, name in enumerate(_classes(ax)):
        here = (labeled.obs["falcon_fine"] == name).to_numpy()
        np.testing.assert_allclose(sizes[code] / sizes.max(), found[here].mean(axis=0), atol=0.02)
    np.testing.assert_allclose(colors.max(axis=0), 1)
    beside = [text.get_text() for text in ax.texts]
    medians = labeled.obs.groupby("falcon_fine", observed=True)["falcon_confidence"].median()
    assert beside == [f"{median:.2f}" for median in medians]


def test_empty_classes_and_lone_children(labeled: AnnData) -> None:
    labeled.obs["falcon_fine"] = labeled.obs["falcon_fine"].replace({"B cell:1": "B cell:0"})
    labeled.obs["falcon_confidence"] = np.float32(1)  # of both halves cells are drawn
    ax = fsc.pl.confident(labeled)
    assert _classes(ax) == ["B cell:0", "CD4/CD8 T:0", "CD4/CD8 T:1", "µ glia:0", "µ glia:1"]
    # without a sibling it stands against all others: genes of the coarse class mark it, of both its halves
    assert set(_genes(ax)[:2]) <= {f"gene{i}" for i in range(15)}


def test_cells_without_class_are_left_out(labeled: AnnData) -> None:
    expected = _genes(fsc.pl.confident(labeled[20:].copy()))
    labeled.obs.loc[labeled.obs_names[:20], ["falcon_fine", "falcon_confidence"]] = None
    assert _genes(fsc.pl.confident(labeled)) == expected


def test_mistakes(labeled: AnnData, planted: AnnData) -> None:
    with pytest.raises(ValueError, match=r"coarse='T cell' is no coarse class.* there are 'B cell'"):
        fsc.pl.confident(labeled, coarse="T cell")
    with pytest.raises(ValueError, match="n_genes must be at least 1"):
        fsc.pl.confident(labeled, n_genes=0)
    with pytest.raises(KeyError, match="layer='raw' is not in"):
        fsc.pl.confident(labeled, layer="raw")
    with pytest.raises(KeyError, match=r"run falcon_sc\.tl\.discover"):
        fsc.pl.confident(planted)


def test_continuous_values(cells: AnnData, quick) -> None:
    """Negative ones, which `discover` took as they are."""
    dense = np.log1p(cells.X.toarray())
    cells.X = (dense - dense.mean(axis=0)) / dense.std(axis=0)
    fsc.tl.discover(cells, "coarse", 6, values="continuous", **quick)
    ax = fsc.pl.confident(cells)
    assert ax.get_xlabel() == "dot size: share of the cells above the mean of all"
    (dots,) = ax.collections
    colors = np.asarray(dots.get_array())
    assert colors.min() >= 0
    assert colors.max() == pytest.approx(1)


@pytest.mark.parametrize("values", [None, "continuous"])
def test_cells_on_disk(discovered: AnnData, on_disk, values: str | None) -> None:
    """As those in memory."""
    adata = discovered.copy()
    if values is not None:
        adata.uns["falcon"]["params"]["assumed"] = values
        adata.X = adata.X.toarray() - 1
    axes = [fsc.pl.confident(one, n_cells=10) for one in (adata, on_disk(adata, "backed"))]
    genes = [[text.get_text() for text in ax.get_xticklabels()] for ax in axes]
    assert genes[0] == genes[1]
    sizes, colors = ([getattr(ax.collections[0], what)() for ax in axes] for what in ("get_sizes", "get_array"))
    np.testing.assert_allclose(*sizes, rtol=1e-5)
    np.testing.assert_allclose(*colors, rtol=1e-4, atol=1e-6)
