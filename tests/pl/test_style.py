"""Texts that come from the data are drawn as they are."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex

import falcon_sc as fsc
from falcon_sc.pl._color_vision import linear
from falcon_sc.pl._style import class_colors

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.figure import Figure

NAME = r"a $\frac{b$ c_d $e$ 5 %"  # a formula that cannot be set, and what TeX takes for commands


@pytest.fixture
def named(discovered: AnnData) -> AnnData:
    """A coarse class and a gene with an awkward name."""
    adata = discovered.copy()
    adata.obs["coarse"] = adata.obs["coarse"].cat.rename_categories({"B cell": NAME})
    adata.obs["falcon_fine"] = adata.obs["falcon_fine"].cat.rename_categories({"B cell:0": f"{NAME}:0"})
    adata.var_names = [f"{name} {NAME}" for name in adata.var_names]
    return adata


def _relation(adata: AnnData) -> Figure:
    return fsc.pl.relation(adata).figure


def _confident(adata: AnnData) -> Figure:
    return fsc.pl.confident(adata).figure


def _embedding(adata: AnnData) -> Figure:
    return fsc.pl.embedding(adata.obsm["X_falcon"], adata.obs["falcon_fine"], adata.obs["coarse"], n_max=20).figure


def _confident_images(adata: AnnData) -> Figure:
    images = np.zeros((adata.n_obs, 2, 2), np.uint8)
    names = [NAME, LONG[0], "c"]
    return fsc.pl.confident_images(images, adata.obsm["falcon_proba"], adata.uns["falcon"]["M"], coarse_names=names)[
        0
    ].figure


def _n_fine(adata: AnnData) -> Figure:
    one = np.ones(1, dtype=np.int64)
    adata.uns["falcon_n_fine"] = {
        "coarse_names": np.array([f"{NAME} {LONG[0]}"]), "sizes": one, "stable": one, "estimate": one,
        "support": np.ones((1, 3)), "params": {"coarse_key": "coarse"},
    }  # fmt: skip
    return fsc.pl.n_fine(adata).figure


def _tree(adata: AnnData) -> Figure:
    names = adata.obs["falcon_fine"].cat.categories.to_numpy(str)  # in the order of `fine_names`
    adata.uns["falcon"] = adata.uns["falcon"] | {"fine_names": names}  # as `tl.rename` does; other names are refused
    return fsc.pl.tree(adata).figure


@pytest.mark.parametrize("draw", [_relation, _confident, _embedding, _confident_images, _n_fine, _tree])
def test_a_name_is_no_formula(named: AnnData, draw) -> None:
    figure = draw(named)
    texts = [text.get_text() for text in figure.findobj(mpl.text.Text) if "frac" in text.get_text()]
    assert texts
    assert all(NAME in text for text in texts)
    figure.savefig(BytesIO(), format="pdf")


@pytest.mark.parametrize("draw", [_relation, _confident, _embedding, _confident_images, _n_fine, _tree])
def test_a_name_does_not_go_through_tex(named: AnnData, draw) -> None:
    with mpl.rc_context({"text.usetex": True}):  # of the setting only: not every machine has TeX to draw with
        texts = [text for text in draw(named).findobj(mpl.text.Text) if "frac" in text.get_text()]
    assert texts
    assert not any(text.get_usetex() for text in texts)


LONG = [
    "CD8-positive, alpha-beta cytokine secreting effector T 1",
    "B cell, naive, IgD-positive, of the splenic follicle 2",
]
DRAWS = [_relation, _confident, _embedding, _confident_images, _n_fine, _tree]
SETTINGS = {
    "as it is": {},
    "dark style": dict(mpl.style.library["dark_background"]),
    "black paper": {"figure.facecolor": "black", "axes.facecolor": "black"},  # and text that is still black
    "dark axes": {"axes.facecolor": "#202020"},
    "large text": {"font.size": 16},
    "own layout": {"figure.autolayout": True},
}


def _contrast(text: mpl.text.Text) -> float:
    """Of a text and the paper or the axes that it stands on (WCAG 2)."""
    figure = text.figure
    ax = text.axes
    middle = text.get_window_extent().get_points().mean(axis=0)
    inside = ax is not None and ax.patch.get_visible() and ax.get_window_extent().contains(*middle)
    light = [
        float(linear(mpl.colors.to_rgb(color)) @ (0.2126, 0.7152, 0.0722))
        for color in (text.get_color(), ax.get_facecolor() if inside else figure.get_facecolor())
    ]
    return (max(light) + 0.05) / (min(light) + 0.05)


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("draw", DRAWS)
def test_every_text_is_read_on_every_background(discovered: AnnData, draw, setting: str) -> None:
    """With names of 55 letters, and without a warning of the layout, which would be an error here."""
    adata = discovered.copy()
    adata.obs["coarse"] = adata.obs["coarse"].cat.rename_categories({"B cell": LONG[0], "µ glia": LONG[1]})
    adata.obs["falcon_fine"] = adata.obs["falcon_fine"].cat.rename_categories(
        {"B cell:0": LONG[0], "µ glia:1": LONG[1]}
    )
    with mpl.rc_context(SETTINGS[setting]):
        figure = draw(adata)
        figure.canvas.draw()
        texts = [text for text in figure.findobj(mpl.text.Text) if text.get_text() and text.get_visible()]
        assert len(texts) >= 3
        for text in texts:
            assert _contrast(text) >= 3, text
        drawn = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert drawn.x0 >= -0.02  # nothing leaves the picture
    assert drawn.y0 >= -0.02
    assert drawn.x1 <= width + 0.02
    assert drawn.y1 <= height + 0.02
    assert all(ax.get_window_extent().width > 0.5 * figure.dpi for ax in figure.axes[:1])


def test_text_sizes_follow_the_settings(discovered: AnnData) -> None:
    with mpl.rc_context({"font.size": 20}):
        sizes = {text.get_fontsize() for text in fsc.pl.relation(discovered).texts}
    assert sizes == {16, 15, 20}


@pytest.mark.parametrize("colors", [None, 3, "red", {"a": "red"}], ids=str)
def test_what_is_no_list_of_colors_is_as_if_it_was_not_there(discovered: AnnData, colors) -> None:
    expected = class_colors(discovered, "falcon")
    for name in ("coarse_colors", "falcon_fine_colors"):
        adata = discovered.copy()
        del adata.uns["falcon_fine_colors"]
        adata.uns[name] = colors
        assert class_colors(adata, "falcon") == expected


@pytest.mark.parametrize("colors", [[(1, 0, 0), (0, 0.5, 0), (0, 0, 1)], np.eye(3), ["red", "none of them", "blue"]])
def test_colors_as_scanpy_takes_them(discovered: AnnData, colors) -> None:
    """Three numbers are a color, too; and what is no color, scanpy replaces."""
    adata = discovered.copy()
    adata.uns["coarse_colors"] = colors
    ax = fsc.pl.relation(adata)
    drawn = [to_hex(line.get_color()) for line in ax.lines]
    if isinstance(colors[1], str):
        assert set(drawn).isdisjoint(["#ff0000", "#0000ff"])
    else:
        assert drawn == [to_hex(color) for color in colors]
