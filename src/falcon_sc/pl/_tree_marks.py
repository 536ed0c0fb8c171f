"""What kinds of splits look like in a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from falcon_sc.pl._style import QUIET, ink, scaled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from falcon_sc.pl._tree_rows import Row

KINDS = {  # whether a split is made and supported: what the legend says
    (True, True): "split now, supported by the evidence",
    (True, False): "split now, not supported",
    (False, True): "not split now, but supported",
    (False, False): "not split now, not supported",
}


def kind_of(row: Row | None) -> tuple[bool, bool]:
    """Whether the split of a row is made, and supported; of a coarse class nobody doubts that it is there."""
    split = None if row is None else row.split
    return (True, True) if split is None else (split.is_made, split.supported)


def line_of(kind: tuple[bool, bool], color: str) -> dict[str, Any]:
    """Colored and thick where a split is made, broken where it is not supported."""
    made, supported = kind
    style: Any = "-" if supported else (0, (2.5, 1.5))
    return {
        "color": color if made else QUIET, "linewidth": 2.2 if made else 0.9, "linestyle": style,
        "solid_capstyle": "projecting",
    }  # fmt: skip


def knot_of(ax: Axes, kind: tuple[bool, bool], color: str) -> dict[str, Any]:
    """Filled where a split is supported."""
    color = color if kind[0] else QUIET
    return {
        "marker": "o", "markersize": scaled(7 if kind[0] else 4.5), "color": color, "markeredgewidth": 1.4, "zorder": 5,
        "markerfacecolor": color if kind[1] else ax.figure.get_facecolor(),
    }  # fmt: skip


def draw_kind(ax: Axes, kind: tuple[bool, bool], y: float) -> None:
    """A row of the legend."""
    color = ink(ax)
    ax.plot([0, 0.4], [y, y], **line_of(kind, color))
    ax.plot([0.2], [y], **knot_of(ax, kind, color))
    ax.text(0.4 + 0.15, y, KINDS[kind], va="center", fontsize=scaled(7), color=QUIET)
