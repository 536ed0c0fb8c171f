"""How many fine classes to ask for, as a picture to choose from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import check_is_anndata, check_name
from falcon_sc.pl._names import shown
from falcon_sc.pl._style import LITERAL, QUIET, check_ax, inches, ink, parent_colors, quiet, scaled

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes

_INCHES_A_CLASS = 0.38
_LARGEST_DOT = 60  # points squared, of a split that is just supported


def n_fine(adata: AnnData, *, key: str = "falcon_n_fine", ax: Axes | None = None) -> Axes:
    """Draw, for each coarse class, how many fine classes are supported, and by how much.

    .. image:: /_static/pl/n_fine.png
        :alt: For each of five coarse classes, the number of fine classes that supported splits make, and a dot for every split

    A bar goes from the *stable* number, which a chain of supported splits leads to, to the estimate. The dots at 2, 3, ...
    say how far the split is supported that makes this class (diameter); those that are supported are filled. Totals are in the title. Names and sizes are those of
    the estimate, whatever became of the cells since.

    Parameters
    ----------
    adata
        Annotated data, after :func:`falcon_sc.tl.estimate_n_fine`.
    key
        Its `key_added`.
    ax
        Where to draw; by default on a new figure high enough for all coarse classes.

    Returns
    -------
    The axes. Nothing is written to `adata`.

    Raises
    ------
    KeyError
        Nothing was estimated under `key`.
    TypeError
        `adata` is no AnnData, `key` no name, or `ax` no Axes.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> adata = fsc.datasets.pbmc68k_reduced()
    >>> fsc.tl.estimate_n_fine(adata, "coarse", max_per_class=6, progress_bar=False)
    >>> ax = fsc.pl.n_fine(adata)
    """
    import matplotlib.pyplot as plt
    from matplotlib.ticker import MaxNLocator

    check_ax(ax)
    numbers = _read(adata, key)
    names = [str(name) for name in numbers["coarse_names"]]
    low, high = (np.asarray(numbers[name]) for name in ("stable", "estimate"))
    support = np.asarray(numbers["support"])
    colors = list(parent_colors(adata, key, names).values())
    names = shown(names)
    if ax is None:
        size = (max(scaled(7), scaled(4.5) + inches(names, 10)), scaled(_INCHES_A_CLASS) * len(names) + 1.2)
        _, ax = plt.subplots(figsize=size, layout="constrained")
    y = np.arange(len(names))
    ax.hlines(y, low, high, colors=colors, linewidth=7, alpha=0.45, capstyle="round")
    _draw_support(ax, support)
    ax.scatter(high, y, s=110, color=colors, edgecolor=ax.get_facecolor(), zorder=4)
    for position, number in zip(y, high.tolist(), strict=True):
        ax.annotate(
            str(number), (number, position), xytext=(0, 8), textcoords="offset points", ha="center", fontsize=scaled(8),
            color=ink(ax, inside=True),
        )  # fmt: skip
    labels = [
        f"{name}\n{size:,} cells" for name, size in zip(names, np.asarray(numbers["sizes"]).tolist(), strict=True)
    ]
    ax.set_yticks(y, labels, **LITERAL)
    ax.set(ylim=(len(names) - 0.4, -0.7), xlim=(0.5, support.shape[1] + 0.5), xlabel="fine classes")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    title = f"{high.sum()} fine classes by supported splits, {low.sum()} by a chain of them"
    ax.set_title(title, loc="left", fontsize=scaled(10), color=ink(ax))
    quiet(ax)
    return ax


def _draw_support(ax: Axes, support: np.ndarray) -> None:
    """A dot for each coarse class and number of classes, 2 or more, that the tree has; filled where the split is supported."""
    row, column = np.nonzero(np.nan_to_num(support[:, 1:]) > 0)
    value = support[row, column + 1]
    faces = np.where(value > 1, QUIET, "none")
    ax.scatter(column + 2, row, s=_LARGEST_DOT * value**2, color=faces, edgecolor=QUIET, linewidth=1, zorder=3)


def _read(adata: AnnData, key: str) -> Mapping[str, Any]:
    check_is_anndata(adata)
    check_name(key, "key")
    numbers = adata.uns.get(key)
    if not isinstance(numbers, Mapping) or "support" not in numbers:
        msg = (
            f"adata.uns[{key!r}] holds no estimate: "
            f"run falcon_sc.tl.estimate_n_fine(adata, ..., key_added={key!r}) first."
        )
        raise KeyError(msg)
    return numbers
