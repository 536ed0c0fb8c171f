"""Which donors, conditions or batches the cells of each fine class come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.pl._classes import read_classes
from falcon_sc.pl._groups import column_colors, read_column
from falcon_sc.pl._names import shown
from falcon_sc.pl._style import LITERAL, QUIET, check_ax, inches, ink, parent_colors, quiet, scaled

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes

_GAP = 0.6  # between coarse classes, in heights of a bar
_INCHES_A_BAR = 0.22
_INCHES_OF_BARS = 4.0
_STEM = 5  # points left of the bars
_ALL = "all cells"


def composition(adata: AnnData, by: str, *, key: str = "falcon", ax: Axes | None = None) -> Axes:
    """Draw the shares of donors, conditions or batches in each fine class.

    One bar for each fine class, under its coarse class, and one for all cells to compare with: a class that is one donor
    is to be distrusted. Beside a bar is its number of cells. Classes go by the names that the cells have now, and colors
    are those that scanpy gives to the groups.

    .. image:: /_static/pl/composition.png
        :alt: A bar for each of ten fine classes of blood cells, in the colors of eight samples

    Parameters
    ----------
    adata
        Annotated data, after :func:`falcon_sc.tl.discover` or :func:`falcon_sc.tl.predict`.
    by
        Column of ``adata.obs`` with the groups, such as the donor. Cells without one (NA) are drawn in gray.
    key
        `key_added` of the result.
    ax
        Where to draw; by default on a new figure large enough for all names.

    Returns
    -------
    The axes. Nothing is written to `adata`.

    Raises
    ------
    KeyError
        Nothing was discovered under `key`, or `by` is not in ``adata.obs``.
    TypeError
        `adata` is no AnnData, `by` or `key` no name, or `ax` no Axes.
    ValueError
        No cell has a fine class or none has a group; nothing says which coarse class a new name belongs to.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> adata = fsc.datasets.pbmc68k_reduced()
    >>> adata.obs["sample"] = [name.rpartition("-")[2] for name in adata.obs_names]
    >>> fsc.tl.discover(adata, coarse_key="coarse", n_fine=10, max_epochs=5, progress_bar=False)
    >>> ax = fsc.pl.composition(adata, "sample")
    """
    import matplotlib.pyplot as plt
    from matplotlib.transforms import ScaledTranslation

    check_ax(ax)
    classes, groups = read_classes(adata, key), read_column(adata, by, "by")
    rows = np.flatnonzero(classes.sizes)
    parents = classes.parents[rows]
    names = [*shown(classes.names[rows]), _ALL]
    titles = shown([by, *groups.names])
    counts = np.zeros((len(names), len(groups.names)), dtype=np.int64)
    for row, code in enumerate(rows):
        counts[row] = np.bincount(groups.codes[classes.codes == code], minlength=len(groups.names))
    counts[-1] = counts[:-1].sum(axis=0)
    y = np.arange(len(names)) + _GAP * np.r_[0, np.cumsum(parents[1:] != parents[:-1]), len(set(parents))]

    if ax is None:
        width = _INCHES_OF_BARS + 1.4 + inches(names, 8) + inches(titles, 8)
        height = scaled(_INCHES_A_BAR) * max(y[-1] + 1, len(groups.names) + 1) + 0.9
        _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    shares = counts / counts.sum(axis=1, keepdims=True)
    left = np.zeros(len(names))
    for name, color, share in zip(titles[1:], column_colors(adata, by, groups.names), shares.T, strict=True):
        ax.barh(y, share, left=left, height=0.8, color=color, label=name)
        left += share
    _name_rows(ax, names, counts.sum(axis=1), y)
    colors = parent_colors(adata, key, list(dict.fromkeys(parents)))
    beside = ax.get_yaxis_transform() + ScaledTranslation(-_STEM / 72, 0, ax.figure.dpi_scale_trans)
    for parent, color in colors.items():
        own = y[:-1][parents == parent]
        ax.plot(
            [0, 0], [own[0] - 0.4, own[-1] + 0.4], transform=beside, color=color, linewidth=3,
            solid_capstyle="butt", clip_on=False,
        )  # fmt: skip
    legend = ax.legend(
        loc="upper left",
        bbox_to_anchor=(1.1, 1),
        frameon=False,
        fontsize=scaled(8),
        labelcolor=ink(ax),
        title=titles[0],
    )
    legend.get_title().set(fontsize=scaled(8), color=ink(ax), **LITERAL)
    for text in legend.get_texts():
        text.set(**LITERAL)
    return ax


def _name_rows(ax: Axes, names: list[str], sizes: np.ndarray, y: np.ndarray) -> None:
    """Names of the classes, and their numbers of cells."""
    ax.set(xlim=(0, 1), ylim=(y[-1] + 0.6, -0.6), xlabel="share of the cells")
    quiet(ax)
    ax.set_yticks(y, names, fontsize=scaled(8), **LITERAL)
    ax.tick_params(axis="y", colors=ink(ax), pad=10)
    for position, size in zip(y, sizes, strict=True):
        ax.annotate(
            f"{size:,}", (1, position), xytext=(4, 0), textcoords="offset points", va="center", fontsize=scaled(7),
            color=QUIET,
        )  # fmt: skip
