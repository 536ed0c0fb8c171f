"""Which fine classes hang under which coarse class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.pl._classes import read_classes
from falcon_sc.pl._names import shown
from falcon_sc.pl._style import GRID, LITERAL, QUIET, check_ax, class_colors, inches, ink, parent_colors, quiet, scaled

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes

_GAP = 0.8  # between coarse classes, in heights of a bar
_INCHES_A_BAR = 0.23, 0.17  # few, many
_MANY = 40
_LEAST = 2.5  # inches for the bars
_MARGIN = 0.15  # inches around a name
_STEM = 44  # points left of the bars, so that the sizes have room


def relation(adata: AnnData, *, key: str = "falcon", ax: Axes | None = None) -> Axes:
    """Draw the fine classes under their coarse classes, with their numbers of cells.

    One bar for each fine class, as long as its number of cells, grouped by coarse class: the
    relation M of the paper as a tree with sizes. With several data sets a group is a combination
    of parents.

    .. image:: /_static/pl/relation.png
        :alt: Ten bars with numbers of cells, under the names of five coarse classes

    Classes go by name: the object may have been subset, and classes merged, reordered or renamed. A class that you
    named stands under the coarse class of its cells. A class that has lost all its cells is drawn without a bar;
    coarse classes without cells are left out.

    Parameters
    ----------
    adata
        Annotated data, after :func:`falcon_sc.tl.discover` or :func:`falcon_sc.tl.predict`.
    key
        Their `key_added`.
    ax
        Where to draw; by default on a new figure high enough for all bars.

    Returns
    -------
    The axes. Nothing is written to `adata`.

    Raises
    ------
    KeyError
        Nothing was discovered under `key`.
    TypeError
        `adata` is no AnnData, `key` no name, or `ax` no Axes.
    ValueError
        No cell has a fine class, or nothing says which coarse class a new name belongs to.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> adata = fsc.datasets.pbmc68k_reduced()
    >>> fsc.tl.discover(adata, coarse_key="coarse", n_fine=10, max_epochs=5, progress_bar=False)
    >>> ax = fsc.pl.relation(adata)
    """
    import matplotlib.pyplot as plt

    check_ax(ax)
    classes = read_classes(adata, key)
    names, parents, sizes = classes.names, classes.parents, classes.sizes
    groups = list(dict.fromkeys(parents))
    stems, bars = parent_colors(adata, key, groups), class_colors(adata, key)
    drawn = np.array(shown(names), dtype=object)
    titles = dict(zip(groups, shown(groups), strict=True))

    if ax is None:
        height = scaled(_INCHES_A_BAR[names.size > _MANY]) * (names.size + _GAP * len(groups)) + 0.6
        beside = _STEM / 72 + inches(titles.values(), 11) + 0.3
        width = max(7, _LEAST + beside + inches(drawn, 8))
        _, ax = plt.subplots(figsize=(width, height), layout="constrained")
        room = width - beside
    else:
        room = ax.get_window_extent().width / ax.figure.dpi
    ax.patch.set_visible(False)  # names reach from the axes to the paper around them: one background for both
    top = 0.0
    for parent in groups:
        members = np.flatnonzero(parents == parent)
        _draw_bars(ax, drawn[members], sizes[members], [bars[name] for name in names[members]], top=top)
        _draw_stem(ax, titles[parent], members.size, stems[parent], top=top)
        top += members.size + _GAP
    ax.set(ylim=(top - _GAP - 0.3, -0.7), xlim=(0, _room(drawn, sizes, room)), yticks=[], xlabel="cells")
    ax.grid(axis="x", **GRID)
    ax.set_axisbelow(True)
    quiet(ax)
    return ax


def _room(names: np.ndarray, sizes: np.ndarray, width: float) -> float:
    """Cells that an axis of `width` inches has to reach to, so that there is room for each name right of its bar."""
    share = [min(inches([name], 8) + _MARGIN, 0.7 * width) / width for name in names]
    return float(max(sizes / (1 - np.array(share))))


def _draw_bars(ax: Axes, names: np.ndarray, sizes: np.ndarray, colors: list[str], *, top: float) -> None:
    """A bar for each fine class of a coarse class, its size and its name."""
    y = top + np.arange(names.size)
    ax.barh(y, sizes, height=0.78, color=colors)
    text: dict[str, Any] = {"textcoords": "offset points", "va": "center"}
    for position, name, size in zip(y, names, sizes, strict=True):
        ax.annotate(name, (size, position), xytext=(5, 0), fontsize=scaled(8), color=ink(ax), **text, **LITERAL)
        ax.annotate(f"{size:,}", (0, position), xytext=(-6, 0), ha="right", fontsize=scaled(7.5), color=QUIET, **text)


def _draw_stem(ax: Axes, parent: str, n_bars: int, color: str, *, top: float) -> None:
    """The name of a coarse class, and a stem along its bars."""
    from matplotlib.transforms import ScaledTranslation

    left_of_sizes = ax.get_yaxis_transform() + ScaledTranslation(-_STEM / 72, 0, ax.figure.dpi_scale_trans)
    ax.plot(
        [0, 0], [top - 0.39, top + n_bars - 0.61], transform=left_of_sizes, color=color, linewidth=3,
        solid_capstyle="butt", clip_on=False,
    )  # fmt: skip
    ax.annotate(
        parent, (0, top + (n_bars - 1) / 2), xytext=(-_STEM - 8, 0), ha="right", fontsize=scaled(10), weight="bold", color=ink(ax),
        textcoords="offset points", va="center", **LITERAL,
    )  # fmt: skip
