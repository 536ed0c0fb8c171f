"""Colors, text and frames that the plots share."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

import numpy as np

from falcon_sc._checks import obs_column
from falcon_sc.pl._classes import parents_of, read_classes
from falcon_sc.pl._color_vision import linear
from falcon_sc.pl._shades import shades

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes

QUIET = "#8c8c8c"
# For every text that comes from the data: a name such as "$IL2^+$" or "CD4_T" is a name, no formula and no TeX.
LITERAL: dict[str, Any] = {"parse_math": False, "usetex": False}
GRID: dict[str, Any] = {"color": QUIET, "alpha": 0.2, "linewidth": 0.8}  # seen on white and on black
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
_CONTRAST = 3.0  # of text and what is behind it (WCAG 2, large text)
_MIDDLE = 0.18  # luminance on which black and white are read equally well
_WIDTH_OF_A_LETTER = 0.6  # of its height


def check_ax(ax: object) -> None:
    """Where a user wants to draw is one Axes; `plt.subplots` gives an array of several."""
    from matplotlib.axes import Axes

    if ax is not None and not isinstance(ax, Axes):
        msg = f"ax must be one matplotlib Axes, found {type(ax).__name__}"
        raise TypeError(msg + (": choose one of the array, such as axes[0]." if isinstance(ax, np.ndarray) else "."))


def parent_colors(adata: AnnData, key: str, parents: Sequence[str], *, by_scanpy: bool = True) -> dict[str, str]:
    """Color of each coarse class: the one scanpy stored for its name, else one that all plots of this result give it."""
    about = adata.uns[key]
    names = parents_of(about).values() if "fine_names" in about else map(str, about["coarse_names"])
    everyone = list(dict.fromkeys([*names, *parents]))
    column = about.get("params", {}).get("coarse_key")
    categories = _categories(adata, column)
    if set(categories) == set(everyone):  # scanpy goes by their order
        everyone = categories
    stored = stored_colors(adata, column) if by_scanpy else {}
    colors = {name: stored[name] for name in everyone if name in stored}
    choice = palette(len(everyone))
    free = cycle([color for color in choice if color not in colors.values()] or choice)
    colors |= {name: next(free) for name in everyone if name not in colors}
    return {name: colors[name] for name in parents}


def stored_colors(adata: AnnData, column: str | None) -> dict[str, str]:
    """Color of each category, if there is one for every one of them: text, or numbers."""
    from matplotlib.colors import to_hex

    stored = adata.uns.get(f"{column}_colors", ())
    categories = _categories(adata, column)
    if isinstance(stored, str | Mapping) or not hasattr(stored, "__len__"):  # no list of colors
        return {}
    if len(stored) != len(categories):  # of an earlier annotation
        return {}
    try:
        colors = [to_hex(color if isinstance(color, str) else tuple(color)) for color in stored]
    except (TypeError, ValueError):  # scanpy, too, replaces them where one is no color
        return {}
    return dict(zip(categories, colors, strict=True))


def _categories(adata: AnnData, column: str | None) -> list[str]:
    """Categories of a column of obs as text; none where there is no such column, or it has none."""
    if column is None or column not in adata.obs:
        return []
    values = obs_column(adata, column, "key")
    return values.cat.categories.astype(str).tolist() if hasattr(values, "cat") else []


def class_colors(adata: AnnData, key: str) -> dict[str, str]:
    """Color of each fine class: the one that scanpy has for it, or will have."""
    return fine_colors(adata, key) | stored_colors(adata, f"{key}_fine")


def fine_colors(adata: AnnData, key: str, *, by_scanpy: bool = True) -> dict[str, str]:
    """Color of each fine class: a shade of the color of its coarse class, which it keeps when others lose their cells."""
    families = read_classes(adata, key).families
    parents = parent_colors(adata, key, list(families), by_scanpy=by_scanpy)
    colors = shades([parents[name] for name in families], [len(names) for names in families.values()])
    return {
        name: color
        for names, own in zip(families.values(), colors, strict=True)
        for name, color in zip(names, own, strict=True)
    }


def chosen_colors(adata: AnnData, key: str) -> dict[str, str]:
    """Colors of fine classes that somebody chose: not ours, in whatever order, nor those from before coarse classes had colors."""
    stored = stored_colors(adata, f"{key}_fine")
    for by_scanpy in (True, False):
        usual = fine_colors(adata, key, by_scanpy=by_scanpy)
        if sorted(stored.values()) == sorted(usual[name] for name in stored if name in usual):
            return {}
    usual = fine_colors(adata, key)
    return {name: color for name, color in stored.items() if color != usual.get(name)}


def palette(n: int) -> list[str]:
    """`n` colors, those that scanpy gives to `n` categories: of rcParams, if it has enough, else of its own palettes."""
    from matplotlib import rcParams
    from matplotlib.colors import to_hex

    own = rcParams["axes.prop_cycle"].by_key().get("color", ())
    if len(own) < n:
        from scanpy.plotting.palettes import default_20, default_28, default_102

        own = next((colors for colors in (default_20, default_28) if len(colors) >= n), default_102)
    return [to_hex(own[i % len(own)]) for i in range(n)]


def scaled(size: float) -> float:
    """A size that suits text of the usual 10 points, as the text size of rcParams wants it."""
    from matplotlib import rcParams

    return size * float(rcParams["font.size"]) / 10


def inches(texts: Iterable[object], size: float) -> float:
    """About the room that the longest of the texts takes at a size in :func:`scaled`."""
    return max((_letters(str(text)) for text in texts), default=0) * _WIDTH_OF_A_LETTER * scaled(size) / 72


def _letters(text: str) -> float:
    """Their number, wide ones such as those of Chinese for what they are as high as wide."""
    return len(text) + sum(east_asian_width(letter) in "WF" for letter in text) * (1 / _WIDTH_OF_A_LETTER - 1)


def ink(ax: Axes, *, inside: bool = False) -> str:
    """Color of text on the figure, or `inside` the axes: that of rcParams, or black or white where it would not be seen."""
    from matplotlib import rcParams
    from matplotlib.colors import to_hex, to_rgb, to_rgba

    paper = np.ones(3)
    for color in (ax.figure.get_facecolor(), *([ax.get_facecolor()] if inside else [])):
        *rgb, alpha = to_rgba(color)
        paper = alpha * np.array(rgb) + (1 - alpha) * paper
    behind, text = (float(linear(rgb) @ _LUMINANCE) for rgb in (paper, to_rgb(rcParams["text.color"])))
    if (max(behind, text) + 0.05) / (min(behind, text) + 0.05) >= _CONTRAST:
        return to_hex(rcParams["text.color"])
    return "#ffffff" if behind < _MIDDLE else "#000000"


def quiet(ax: Axes) -> None:
    """No frame, no tick marks, gray text: the data are the picture."""
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, colors=QUIET)
    ax.xaxis.label.set_color(QUIET)
    ax.yaxis.label.set_color(QUIET)
