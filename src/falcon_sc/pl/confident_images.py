"""The most confident images of each fine class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import check_int
from falcon_sc.pl._most_confident import most_confident
from falcon_sc.pl._names import shown
from falcon_sc.pl._pixels import check_pixels, square_of
from falcon_sc.pl._style import LITERAL, check_ax, inches, ink, scaled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

_GAP = 0.35  # between fine classes, in widths of an image
_SEAM = 0.04  # between images
_ABOVE = 0.36  # room for a name above images
_INCHES = 0.55  # side of an image
_N_COLUMNS = 6  # 18 images are as wide as a page


def confident_images(
    images: ArrayLike,
    proba: ArrayLike,
    relation: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    coarse_names: Sequence[Any] | NDArray[Any] | None = None,
    fine_names: Sequence[Any] | NDArray[Any] | None = None,
    coarse: Any = None,
    n_images: int = 3,
    n_columns: int = _N_COLUMNS,
    ax: Axes | None = None,
) -> NDArray[Any]:
    """Draw the most confident images of each fine class: a row for each coarse class (figure 3 of :cite:p:`Grcic2024`).

    .. image:: /_static/pl/confident_images.png
        :alt: Three handwritten digits for each of ten fine classes, in a row for each of three coarse classes

    In a row the fine classes stand side by side with a gap between them, in the order of the rows of `relation`, and
    in each the images with the highest probability of that class, the highest first. Only images of that class are
    drawn, so there may be fewer than `n_images`.

    Parameters
    ----------
    images
        Pixels from 0 to 255, as of `fsc.vision`, or floats from 0 to 1, N x H x W x 3 or N x H x W; or paths of files,
        (N,), of which only those that are drawn are read.
    proba
        Probabilities of the fine classes, (N, K_F): `proba_` of a fitted model, or what its `predict_proba` gives.
    relation
        M, (K_F, K_C): `relation_` of the model; with several data sets one of `relations_`.
    labels
        Fine class of each image, (N,): `labels_` of the model, or what its `predict` gives, which in a model with a tree
        of splits is not always the most probable class. Default: the most probable one.
    coarse_names
        Names of the columns of `relation`: `coarse_names_` of the model. Default: their numbers.
    fine_names
        What to write above the images of each fine class, (K_F,): `fine_names_` of the model. Default: nothing.
    coarse
        Draw this coarse class only, or those in a list, in its order.
    n_images
        Images of a fine class. Default: paper.
    n_columns
        Fine classes side by side; more stand in lines below them.
    ax
        Where to draw the one coarse class that `coarse` names; by default on a new figure.

    Returns
    -------
    Array of Axes, one for each coarse class drawn.

    Raises
    ------
    TypeError
        `n_images` or `n_columns` is no int, or `ax` no Axes.
    ValueError
        If the arrays do not fit together, `images` holds no pixels, `coarse` is not among the names, or `ax` is given for several coarse classes.

    Examples
    --------
    >>> import numpy as np
    >>> import falcon_sc as fsc
    >>> images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    >>> proba = np.eye(3)[[0, 0, 1, 1, 2, 2]]
    >>> relation = np.array([[1, 0], [1, 0], [0, 1]])
    >>> axes = fsc.pl.confident_images(images, proba, relation, coarse_names=["pet", "car"], n_images=2)
    >>> [len(ax.images) for ax in axes]
    [4, 2]
    """
    check_ax(ax)
    images, proba, relation = np.asarray(images), np.asarray(proba), np.asarray(relation)
    n_images, n_columns = check_int(n_images, "n_images"), check_int(n_columns, "n_columns")
    names = list(range(relation.shape[-1]) if coarse_names is None else coarse_names)
    above = None if fine_names is None else shown(fine_names)
    _check_shapes(images, proba, relation, names, above)
    scale = check_pixels(images)
    members = proba.argmax(axis=1) if labels is None else _checked_labels(labels, proba)
    drawn = _drawn(relation, names, coarse)
    classes = [np.flatnonzero(relation[:, column]) for column in drawn]
    grid = _Grid.of(classes, above, n_images, n_columns)
    titles = shown(names[column] for column in drawn)
    axes = _axes(grid, classes, titles, ax)
    for row_ax, title, row in zip(axes, titles, classes, strict=True):
        for place, fine in enumerate(row):
            left, bottom = grid.corner(place, row.size)
            _draw(row_ax, images[most_confident(proba, members, int(fine), n_images)], scale, left, bottom)
            if above is not None:
                _write_above(row_ax, above[fine], left, bottom)
        row_ax.set(xlim=(0, grid.width), ylim=(0, grid.height(row.size)), aspect="equal", xticks=[], yticks=[])
        row_ax.spines[:].set_visible(False)
        row_ax.set_ylabel(title, rotation=0, ha="right", va="center", fontsize=scaled(8), color=ink(row_ax), **LITERAL)
    return axes


@dataclass(frozen=True)
class _Grid:
    """Where the fine classes of a coarse class stand, in widths of an image.

    `step` leads from one to the next in a line, `pitch` from a line to the next.
    """

    n_columns: int
    step: float
    pitch: float

    @classmethod
    def of(cls, classes: list[NDArray[np.intp]], above: list[str] | None, n_images: int, n_columns: int) -> _Grid:
        """Wide enough for the images and for the longest name above them."""
        drawn = [] if above is None else [above[fine] for row in classes for fine in row]
        room = max(float(n_images), inches(drawn, 7) / _INCHES)
        n_columns = min(n_columns, max(row.size for row in classes))
        return cls(n_columns, room + _GAP, 1.0 if above is None else 1 + _ABOVE)

    @property
    def width(self) -> float:
        return self.n_columns * self.step - _GAP

    def height(self, n: int) -> float:
        """Of the lines of `n` fine classes."""
        return self.pitch * -(-n // self.n_columns)

    def corner(self, place: int, n: int) -> tuple[float, float]:
        """Left and bottom of one of `n` fine classes, which fill the lines from the top."""
        line, column = divmod(place, self.n_columns)
        return column * self.step, self.height(n) - (line + 1) * self.pitch


def _axes(grid: _Grid, classes: list[NDArray[np.intp]], names: list[str], ax: Axes | None) -> NDArray[Any]:
    """One for each coarse class."""
    import matplotlib.pyplot as plt

    if ax is not None:
        if len(classes) > 1:
            msg = f"ax is one place, for one coarse class, and {len(classes)} are to be drawn: name one with coarse=..."
            raise ValueError(msg)
        return np.array([ax], dtype=object)
    heights = [grid.height(row.size) for row in classes]
    size = (_INCHES * grid.width + inches(names, 8), _INCHES * sum(heights) + 0.08 * len(classes))
    _, axes = plt.subplots(len(classes), 1, figsize=size, squeeze=False, layout="compressed", height_ratios=heights)
    own: NDArray[Any] = axes[:, 0]
    return own


def _drawn(relation: NDArray[Any], names: list[Any], coarse: Any) -> list[int]:
    """Columns to draw: those with fine classes, or what is asked for."""
    columns = np.flatnonzero(relation.any(axis=0)).tolist()
    if not columns:
        msg = "relation has no 1: no fine class has a coarse class."
        raise ValueError(msg)
    if coarse is None:
        return columns
    asked = list(coarse) if isinstance(coarse, list | tuple | np.ndarray) else [coarse]
    if not asked:
        msg = f"coarse={coarse!r} names no coarse class; there are {names}."
        raise ValueError(msg)
    for name in asked:
        if name not in names:
            msg = f"coarse={name!r} is no coarse class; there are {names}."
            raise ValueError(msg)
        if names.index(name) not in columns:
            msg = f"coarse={name!r} has no fine class in relation: there is nothing to draw."
            raise ValueError(msg)
    return [names.index(name) for name in asked]


def _draw(ax: Axes, images: NDArray[Any], scale: float, left: float, bottom: float) -> None:
    for i, image in enumerate(images):
        extent = (left + i, left + i + 1 - _SEAM, bottom, bottom + 1 - _SEAM)
        ax.imshow(square_of(image, scale), cmap="gray", extent=extent, interpolation="nearest", vmin=0, vmax=255)


def _write_above(ax: Axes, name: str, left: float, bottom: float) -> None:
    ax.text(left, bottom + 1.03, name, ha="left", va="bottom", fontsize=scaled(7), color=ink(ax), **LITERAL)


def _check_shapes(
    images: NDArray[Any], proba: NDArray[Any], relation: NDArray[Any], names: list[Any], above: list[str] | None
) -> None:
    is_image = images.ndim in (1, 3) or (images.ndim == 4 and images.shape[3] in (1, 3, 4))
    if not is_image or proba.ndim != 2 or relation.ndim != 2 or proba.shape != (len(images), len(relation)):
        msg = (
            f"images, proba and relation have the shapes {images.shape}, {proba.shape} and {relation.shape}: "
            "give N images, H x W or H x W x 3, or their paths, N x K_F probabilities and a K_F x K_C relation."
        )
        raise ValueError(msg)
    if len(names) != relation.shape[1]:
        msg = f"coarse_names has {len(names)} names, relation has {relation.shape[1]} coarse classes."
        raise ValueError(msg)
    if above is not None and len(above) != len(relation):
        msg = f"fine_names has {len(above)} names, relation has {len(relation)} fine classes."
        raise ValueError(msg)


def _checked_labels(labels: ArrayLike, proba: NDArray[Any]) -> NDArray[Any]:
    members = np.asarray(labels)
    n, n_fine = proba.shape
    if (
        members.shape != (n,)
        or members.dtype.kind not in "iu"
        or (n and not 0 <= members.min() <= members.max() < n_fine)
    ):
        msg = f"labels must be {n} whole numbers from 0 to {n_fine - 1}, found shape {members.shape}, {members.dtype}."
        raise ValueError(msg)
    return members
