"""The embedding in two dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from falcon_sc._checks import check_int, check_rng, listed
from falcon_sc.pl._names import shown
from falcon_sc.pl._shades import shades
from falcon_sc.pl._style import LITERAL, check_ax, inches, ink, palette, quiet, scaled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

_PERPLEXITY = 30.0  # scikit-learn's default
_NOBODY = "#d0d0d0"  # samples without a class


def embedding(
    embedding: ArrayLike,
    labels: ArrayLike,
    coarse: ArrayLike | None = None,
    *,
    shaded: bool = True,
    named: Mapping[Any, str] | None = None,
    n_max: int = 2000,
    rng: int | np.random.Generator | None = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw a t-SNE of the embedding, colored by fine class (figure 2 of :cite:p:`Grcic2024`).

    .. image:: /_static/pl/embedding.png
        :alt: Dots in groups, in shades of the colors of five coarse classes

    Arrays in: for images and for cells that are in no AnnData.

    Parameters
    ----------
    embedding
        (N, d): `embedding_` of a fitted model, what its `transform` gives, or features.
    labels
        Fine class of each sample, (N,). Samples without one (NA) are drawn in gray.
    coarse
        Coarse class of each sample, (N,): the fine classes of a coarse class are then shades of one color, which the
        legend names.
    shaded
        False: a sample has the color of its own coarse class, whatever fine class it is in. For many fine classes, or
        those of a model that was not told the coarse classes and mixes them.
    named
        Fine class: text to write in the middle of its samples. Default: none.
    n_max
        Of more samples than this, so many are drawn at random. t-SNE takes about ten seconds for 2,000.
    rng
        Seed or generator of that choice and of t-SNE.
    ax
        Where to draw; by default on a new figure.

    Returns
    -------
    The axes.

    Raises
    ------
    TypeError
        `n_max` is no int, `rng` no seed, or `ax` no Axes.
    ValueError
        If the arrays do not fit together, there are fewer than 4 samples, `shaded` is false without `coarse`, or `named`
        holds what is not in `labels`.

    Examples
    --------
    >>> import numpy as np
    >>> import falcon_sc as fsc
    >>> points = np.random.default_rng(0).normal(size=(40, 5))
    >>> ax = fsc.pl.embedding(points, np.arange(40) % 4, np.arange(40) % 2)
    """
    import matplotlib.pyplot as plt
    from sklearn.manifold import TSNE

    check_ax(ax)
    points, fine = _points(embedding), np.asarray(labels)
    groups = None if coarse is None else np.asarray(coarse)
    _check_shapes(points, fine, groups)
    if groups is None and not shaded:
        msg = "shaded=False needs coarse: the coarse class of each sample, which gives it its color."
        raise ValueError(msg)
    members, classes = pd.factorize(fine, sort=True)
    texts = _by_code(named or {}, classes)
    check_rng(rng)
    rng = np.random.default_rng(rng)
    chosen = rng.permutation(len(points))[: check_int(n_max, "n_max", minimum=4)]
    tsne = TSNE(perplexity=min(_PERPLEXITY, (len(chosen) - 1) / 3), init="pca", random_state=int(rng.integers(2**31)))
    places = tsne.fit_transform(points[chosen])
    if ax is None:
        room = 0 if groups is None else max(1.5, 0.5 + inches(shown(pd.unique(groups)), 8))
        _, ax = plt.subplots(figsize=(6 + room, 6), layout="constrained")
    if groups is None or shaded:
        colors = np.array([*_colors(members, len(classes), groups), _NOBODY])[members]
    else:
        own, names = pd.factorize(groups, sort=True)
        colors = np.array([*palette(len(names)), _NOBODY])[own]
    ax.scatter(places[:, 0], places[:, 1], s=8, c=colors[chosen], linewidths=0)
    if groups is not None:
        _name_groups(ax, pd.factorize(groups, sort=True)[1])
    for code, text in texts.items():
        _write_inside(ax, text, places[members[chosen] == code])
    ax.set(xticks=[], yticks=[], xlabel="t-SNE 1", ylabel="t-SNE 2")
    quiet(ax)
    return ax


def _colors(members: NDArray[np.intp], n_classes: int, groups: NDArray[Any] | None) -> list[str]:
    """A color for each fine class; `members` is -1 where a sample has none."""
    if groups is None:
        return palette(n_classes)
    first, names = pd.factorize(groups, sort=True)
    # a class belongs to the group of most of its samples
    counts = np.zeros((n_classes, len(names)), dtype=np.int64)
    both = (members >= 0) & (first >= 0)
    np.add.at(counts, (members[both], first[both]), 1)
    parent = np.where(counts.any(axis=1), counts.argmax(axis=1), -1) if len(names) else np.full(n_classes, -1)
    colors = np.full(n_classes, _NOBODY, dtype="<U7")
    children = [np.flatnonzero(parent == group) for group in range(len(names))]
    for own, chosen in zip(children, shades(palette(len(names)), [own.size for own in children]), strict=True):
        colors[own] = chosen
    return [str(color) for color in colors]


def _name_groups(ax: Axes, names: NDArray[Any]) -> None:
    from matplotlib.lines import Line2D

    dots = [Line2D([], [], marker="o", linestyle="", color=color) for color in palette(len(names))]
    labels = shown(names)
    legend = ax.legend(
        dots, labels, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=scaled(8), labelcolor=ink(ax)
    )
    for text in legend.get_texts():
        text.set(**LITERAL)


def _by_code(named: Mapping[Any, str], classes: NDArray[Any]) -> dict[int, str]:
    known = list(classes)
    if unknown := [name for name in named if name not in known]:
        msg = f"named holds {listed(unknown)}, and labels have {listed(known)}."
        raise ValueError(msg)
    return dict(zip(map(known.index, named), shown(named.values()), strict=True))


def _write_inside(ax: Axes, text: str, places: NDArray[Any]) -> None:
    """A text in the middle of these samples, if any were drawn."""
    from matplotlib.patheffects import withStroke

    if len(places):
        rim = withStroke(linewidth=2.5, foreground=ax.get_facecolor())
        x, y = np.median(places, axis=0)
        ax.text(
            x, y, text, ha="center", va="center", fontsize=scaled(8), color=ink(ax, inside=True), path_effects=[rim],
            **LITERAL,
        )  # fmt: skip


def _points(embedding: ArrayLike) -> NDArray[np.float32]:
    try:
        points = np.asarray(embedding, dtype=np.float32)
    except (TypeError, ValueError) as error:
        msg = f"embedding must be a matrix of numbers, found {type(embedding).__name__} ({error})."
        raise TypeError(msg) from error
    if not np.isfinite(points).all():
        msg = "embedding holds NaN or inf: remove or fill those values first."
        raise ValueError(msg)
    return points


def _check_shapes(points: NDArray[Any], fine: NDArray[Any], groups: NDArray[Any] | None) -> None:
    n = points.shape[0] if points.ndim else 0
    if points.ndim != 2 or n < 4 or points.shape[1] < 2 or fine.shape != (n,):
        msg = (
            f"embedding and labels have the shapes {points.shape} and {fine.shape}: give N x d and N, with N at least 4 and "
            "d at least 2."
        )
        raise ValueError(msg)
    if groups is not None and groups.shape != (n,):
        msg = f"coarse has shape {groups.shape}: give a coarse class for each of the {n} samples."
        raise ValueError(msg)
