"""Figure F1 of the paper: how many samples each fine class has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_NAMED = 130  # classes whose names can be read side by side
_INCHES_A_CLASS = 0.14
_NAMED_BELOW_EACH_OTHER = 20  # coarse classes in the legend


def draw_class_sizes(
    fine: NDArray[np.int64], relation: NDArray[Any], fine_names: Sequence[str], coarse_names: Sequence[str], what: str
) -> Figure:
    """A bar for each fine class, those of a coarse class together, in its color.

    Parameters
    ----------
    fine
        Fine class of each sample, (N,), as positions in `fine_names`.
    relation
        True M, (K_F, K_C); a fine class without a sample has a row of zeros, and no bar.
    fine_names, coarse_names
        Names of its rows and columns.
    what
        "images" or "cells", for the axis.
    """
    from matplotlib.figure import Figure

    from falcon_sc.pl._style import GRID, LITERAL, QUIET, inches, palette, quiet, scaled

    sizes = np.bincount(fine, minlength=len(fine_names))
    named = len(fine_names) <= _NAMED
    below = inches(fine_names, 7) if named else 0.3
    width = max(6.0, _INCHES_A_CLASS * min(len(fine_names), _NAMED) + 1)
    figure = Figure(figsize=(width + inches(coarse_names, 7), 3 + below), layout="constrained")
    ax = figure.subplots()
    children = [np.flatnonzero(relation[:, column]) for column in range(len(coarse_names))]
    left = 0
    for name, own, color in zip(coarse_names, children, palette(len(coarse_names)), strict=True):
        if own.size:
            ax.bar(left + np.arange(own.size), sizes[own], width=0.85, color=color, label=name)
            left += own.size
    order = np.concatenate(children)
    ax.set(xlim=(-0.7, left - 0.3), ylabel=f"{what} of the fine class")
    ax.yaxis.label.set_fontsize(scaled(8))
    ax.tick_params(axis="y", labelsize=scaled(7))
    ax.set_xticks(range(left) if named else [], [fine_names[i] for i in order] if named else [], rotation=90)
    quiet(ax)
    for text in ax.get_xticklabels():
        text.set(fontsize=scaled(7), color="black", **LITERAL)
    if not named:
        ax.set_xlabel(f"{left} fine classes", color=QUIET)
    ax.grid(axis="y", **GRID)
    ax.set_axisbelow(True)
    legend = figure.legend(
        loc="outside right upper",
        ncols=-(-len(coarse_names) // _NAMED_BELOW_EACH_OTHER),
        frameon=False,
        fontsize=scaled(7),
    )
    for text in legend.get_texts():
        text.set(**LITERAL)
    return figure
