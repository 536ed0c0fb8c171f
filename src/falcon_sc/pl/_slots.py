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


def read_about(adata: AnnData, key: str) -> Mapping[str, Any]:
    """The entry ``adata.uns[key]``."""
    about = adata.uns.get(key)
    if not isinstance(about, Mapping) or "fine_names" not in about:
        msg = f"adata.uns[{key!r}] holds no result: run falcon_sc.tl.discover(adata, ..., key_added={key!r}) first."
        raise KeyError(msg)
    return about


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
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    palette = colormaps["tab10" if len(parents) <= 10 else "tab20"]
    colors = {parent: to_hex(palette(i % palette.N)) for i, parent in enumerate(parents)}
    coarse_key = adata.uns[key].get("params", {}).get("coarse_key")
    stored = adata.uns.get(f"{coarse_key}_colors", ())
    if coarse_key in adata.obs and hasattr(adata.obs[coarse_key], "cat"):
        categories = adata.obs[coarse_key].cat.categories.astype(str)
        if len(stored) == len(categories):
            colors |= {name: color for name, color in zip(categories, stored, strict=True) if name in colors}
    return colors


def lighter(color: str, share: float) -> tuple[float, float, float]:
    """The colour mixed with a share of white, in [0, 1]."""
    from matplotlib.colors import to_rgb

    red, green, blue = (channel + (1 - channel) * share for channel in to_rgb(color))
    return red, green, blue


def quiet(ax: Axes) -> None:
    """No frame, no tick marks, grey text: the data are the picture."""
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, colors=QUIET)
    ax.xaxis.label.set_color(QUIET)
    ax.yaxis.label.set_color(QUIET)
