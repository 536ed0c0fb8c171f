"""Read what `falcon_sc.tl.discover` or `falcon_sc.tl.predict` wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes

QUIET = "#8c8c8c"
_DARKEST = 0.25
_PALEST = 0.6


def read_about(adata: AnnData, key: str) -> Mapping[str, Any]:
    """The entry ``adata.uns[key]``."""
    about = adata.uns.get(key)
    if not isinstance(about, Mapping) or "fine_names" not in about:
        msg = f"adata.uns[{key!r}] holds no result: run falcon_sc.tl.discover(adata, ..., key_added={key!r}) first."
        raise KeyError(msg)
    return about


def read_names(adata: AnnData, key: str) -> np.ndarray:
    """Names of the fine classes; a zarr file gives them back in another kind of string."""
    return np.array([str(name) for name in read_about(adata, key)["fine_names"]])


def read_fine(adata: AnnData, key: str) -> pd.Series:
    """The column ``adata.obs[f"{key}_fine"]``."""
    if f"{key}_fine" not in adata.obs:
        msg = (
            f"adata.obs[{key + '_fine'!r}] is missing: run falcon_sc.tl.discover(adata, ..., key_added={key!r}) first."
        )
        raise KeyError(msg)
    return adata.obs[f"{key}_fine"]


def parents_of(fine_names: np.ndarray) -> np.ndarray:
    """The coarse class (or classes, joined) in the name of each fine class."""
    return np.array([str(name).rpartition(":")[0] for name in fine_names])


def parent_colors(adata: AnnData, key: str, parents: list[str]) -> dict[str, str]:
    """Colour of each coarse class: the one scanpy stored for it, else the next of a palette."""
    colors = dict(zip(parents, palette(len(parents)), strict=True))
    coarse_key = adata.uns[key].get("params", {}).get("coarse_key")
    stored = adata.uns.get(f"{coarse_key}_colors", ())
    if coarse_key in adata.obs and hasattr(adata.obs[coarse_key], "cat"):
        categories = adata.obs[coarse_key].cat.categories.astype(str)
        if len(stored) == len(categories):
            colors |= {name: color for name, color in zip(categories, stored, strict=True) if name in colors}
    return colors


def fine_colors(adata: AnnData, key: str) -> dict[str, str]:
    """Colour of each fine class: a shade of the colour of its coarse class."""
    names = read_names(adata, key)
    parents = parents_of(names)
    colors: dict[str, str] = {}
    for parent, color in parent_colors(adata, key, list(dict.fromkeys(parents.tolist()))).items():
        members = names[parents == parent]
        colors |= dict(zip(members.tolist(), shades(color, members.size), strict=True))
    return colors


def palette(n: int) -> list[str]:
    """`n` colours, all different up to twenty."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    colors = colormaps["tab10" if n <= 10 else "tab20"]
    return [to_hex(colors(i % colors.N)) for i in range(n)]


def shades(color: str, n: int) -> list[str]:
    """Shades of a colour for the fine classes of a coarse class, from dark to light."""
    from matplotlib.colors import to_hex, to_rgb

    if n == 1:
        return [color]
    rgb = np.array(to_rgb(color))
    # below zero a share of black is mixed in, above zero a share of white
    steps = np.linspace(-_DARKEST, _PALEST, n)
    return [to_hex(tuple(rgb * (1 + step) if step < 0 else rgb + (1 - rgb) * step)) for step in steps]


def quiet(ax: Axes) -> None:
    """No frame, no tick marks, grey text: the data are the picture."""
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, colors=QUIET)
    ax.xaxis.label.set_color(QUIET)
    ax.yaxis.label.set_color(QUIET)
