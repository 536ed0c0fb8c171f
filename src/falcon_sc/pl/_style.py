"""Colors, text and frames that the plots share."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.pl._classes import parents_of, read_classes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes

QUIET = "#8c8c8c"
# For every text that comes from the data: a name such as "$IL2^+$" or "CD4_T" is a name, no formula and no TeX.
LITERAL: dict[str, Any] = {"parse_math": False, "usetex": False}
_DARKEST = 0.25
_PALEST = 0.6


def parent_colors(adata: AnnData, key: str, parents: Sequence[str]) -> dict[str, str]:
    """Color of each coarse class: the one scanpy stored for its name, else one that all plots of this result give it."""
    about = adata.uns[key]
    names = parents_of(about).values() if "fine_names" in about else map(str, about["coarse_names"])
    everyone = list(dict.fromkeys([*names, *parents]))
    stored = _stored_colors(adata, about.get("params", {}).get("coarse_key"))
    colors = {name: stored[name] for name in everyone if name in stored}
    choice = palette(len(everyone))
    free = cycle([color for color in choice if color not in colors.values()] or choice)
    colors |= {name: next(free) for name in everyone if name not in colors}
    return {name: colors[name] for name in parents}


def _stored_colors(adata: AnnData, column: str | None) -> dict[str, str]:
    """Color of each category, if scanpy stored one for every one of them."""
    from matplotlib.colors import to_hex

    stored = adata.uns.get(f"{column}_colors", ())
    if column not in adata.obs or not hasattr(adata.obs[column], "cat"):
        return {}
    categories = adata.obs[column].cat.categories.astype(str)
    if len(stored) != len(categories):  # of an earlier annotation
        return {}
    return {name: to_hex(str(color)) for name, color in zip(categories, stored, strict=True)}


def fine_colors(adata: AnnData, key: str) -> dict[str, str]:
    """Color of each fine class: a shade of the color of its coarse class."""
    classes = read_classes(adata, key)
    colors: dict[str, str] = {}
    for parent, color in parent_colors(adata, key, list(dict.fromkeys(classes.parents))).items():
        members = classes.names[classes.parents == parent]
        colors |= dict(zip(members, shades(color, members.size), strict=True))
    return colors


def palette(n: int) -> list[str]:
    """`n` colors, all different up to twenty."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    colors = colormaps["tab10" if n <= 10 else "tab20"]
    return [to_hex(colors(i % colors.N)) for i in range(n)]


def shades(color: str, n: int) -> list[str]:
    """Shades of a color for the fine classes of a coarse class, from dark to light."""
    from matplotlib.colors import to_hex, to_rgb

    if n == 1:
        return [color]
    rgb = np.array(to_rgb(color))
    # below zero a share of black is mixed in, above zero a share of white
    steps = np.linspace(-_DARKEST, _PALEST, n)
    return [to_hex(tuple(rgb * (1 + step) if step < 0 else rgb + (1 - rgb) * step)) for step in steps]


def quiet(ax: Axes) -> None:
    """No frame, no tick marks, gray text: the data are the picture."""
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, colors=QUIET)
    ax.xaxis.label.set_color(QUIET)
    ax.yaxis.label.set_color(QUIET)
