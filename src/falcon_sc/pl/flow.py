"""How the cells of two columns of labels go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from falcon_sc._checks import obs_column
from falcon_sc.pl._groups import column_colors, read_column
from falcon_sc.pl._names import shown
from falcon_sc.pl._style import LITERAL, check_ax, inches, ink, scaled

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes

_INCHES_BETWEEN = 3.5
_INCHES_A_NAME = 0.34
_GAPS = 0.4  # share of the height that is left between the groups of a side
_BAR = 0.04  # width of a group


def flow(adata: AnnData, left: str, right: str, *, ax: Axes | None = None) -> Axes:
    """Draw which cells of one column of labels are where in another: two runs, or given labels and found ones.

    A band joins a group on the left with one on the right, as wide as the number of cells in both (alluvial plot), in
    the color of the left one. The groups on the left stand in the order of their categories, those on the right where
    most of their cells come from. What two runs with another `rng` agree on are bands that do not part.

    .. image:: /_static/pl/flow.png
        :alt: Bands from ten given cell types of blood to ten fine classes

    Parameters
    ----------
    adata
        Annotated data.
    left
        Column of ``adata.obs``, such as ``"falcon_fine"``. Cells without a label (NA) in one of the two columns are
        "missing" there, cells without both are left out.
    right
        Another one, such as ``"seed1_fine"`` after ``discover(..., rng=1, key_added="seed1")``.
    ax
        Where to draw; by default on a new figure large enough for all names.

    Returns
    -------
    The axes. Nothing is written to `adata`.

    Raises
    ------
    KeyError
        `left` or `right` is not in ``adata.obs``.
    TypeError
        `adata` is no AnnData, `left` or `right` no name, or `ax` no Axes.
    ValueError
        One of them holds only missing values.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> adata = fsc.datasets.pbmc68k_reduced()
    >>> fsc.tl.discover(adata, coarse_key="coarse", n_fine=10, max_epochs=5, progress_bar=False)
    >>> ax = fsc.pl.flow(adata, "fine", "falcon_fine")
    """
    import matplotlib.pyplot as plt

    check_ax(ax)
    sides = [read_column(adata, left, "left"), read_column(adata, right, "right")]
    colors = [column_colors(adata, name, side.names) for name, side in zip((left, right), sides, strict=True)]
    known = (obs_column(adata, left, "left").notna() | obs_column(adata, right, "right").notna()).to_numpy()
    counts = np.zeros((len(sides[0].names), len(sides[1].names)))
    np.add.at(counts, (sides[0].codes[known], sides[1].codes[known]), 1)
    order = _order(counts)
    rows, columns = np.flatnonzero(counts.sum(axis=1)), order[counts[:, order].sum(axis=0) > 0]
    counts = counts[np.ix_(rows, columns)]
    names = shown(sides[0].names[row] for row in rows), shown(sides[1].names[column] for column in columns)
    titles = shown([left, right])
    shades = [colors[0][row] for row in rows], [colors[1][column] for column in columns]

    if ax is None:
        width = _INCHES_BETWEEN + 0.4 + inches([titles[0], *names[0]], 8) + inches([titles[1], *names[1]], 8)
        height = scaled(_INCHES_A_NAME) * max(map(len, names)) + 0.8
        _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    tops = [_tops(counts.sum(axis=1 - side)) for side in range(2)]
    _draw_bands(ax, counts, tops, shades[0])
    for side, (x, ha) in enumerate(((0, "right"), (1, "left"))):
        sizes, edge = counts.sum(axis=1 - side), x + (x - 0.5) * _BAR
        ax.bar([x] * sizes.size, sizes, width=_BAR, bottom=tops[side], color=shades[side])
        for name, top, size in zip(names[side], tops[side], sizes, strict=True):
            ax.annotate(
                name, (edge, top + size / 2), xytext=(4 if x else -4, 0), textcoords="offset points", ha=ha, va="center",
                fontsize=scaled(8), color=ink(ax), **LITERAL,
            )  # fmt: skip
        ax.annotate(
            titles[side], (x, 0), xytext=(0, 8), textcoords="offset points", ha="center", va="bottom",
            fontsize=scaled(9), weight="bold", color=ink(ax), **LITERAL,
        )  # fmt: skip
    ax.set(xlim=(-_BAR, 1 + _BAR), ylim=(counts.sum() / (1 - _GAPS), 0))
    ax.axis("off")
    return ax


def _order(counts: np.ndarray) -> np.ndarray:
    """The groups on the right by the mean place, on the left, of their cells."""
    middle = np.cumsum(counts.sum(axis=1)) - counts.sum(axis=1) / 2
    return np.argsort(middle @ counts / np.maximum(counts.sum(axis=0), 1), kind="stable")


def _tops(sizes: np.ndarray) -> np.ndarray:
    """Where each group of a side begins, in cells from the top; the gaps of a side take a fixed share of the height."""
    gap = sizes.sum() * _GAPS / (1 - _GAPS) / max(sizes.size - 1, 1)
    first = sizes.sum() * _GAPS / (1 - _GAPS) / 2 if sizes.size == 1 else 0
    return np.asarray(first + np.cumsum(sizes) - sizes + gap * np.arange(sizes.size))


def _draw_bands(ax: Axes, counts: np.ndarray, tops: list[np.ndarray], colors: list[str]) -> None:
    """One band for each pair of groups with cells in both."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    starts = tops[0][:, None] + np.cumsum(counts, axis=1) - counts
    ends = tops[1] + np.cumsum(counts, axis=0) - counts
    curve = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    a, b = _BAR / 2, 1 - _BAR / 2
    for row, column in zip(*np.nonzero(counts), strict=True):
        y0, y1, width = starts[row, column], ends[row, column], counts[row, column]
        corners = [
            (a, y0), (0.5, y0), (0.5, y1), (b, y1), (b, y1 + width), (0.5, y1 + width), (0.5, y0 + width), (a, y0 + width),
            (a, y0),
        ]  # fmt: skip
        ax.add_patch(PathPatch(Path(corners, curve), facecolor=colors[row], alpha=0.45, linewidth=0))
