"""The most confident images of each fine class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import check_int
from falcon_sc.pl._style import LITERAL, inches, ink, scaled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

_GAP = 0.35  # between fine classes, in widths of an image
_SEAM = 0.04  # between images
_INCHES = 0.55  # side of an image


def confident_images(
    images: ArrayLike,
    proba: ArrayLike,
    relation: ArrayLike,
    *,
    coarse_names: Sequence[Any] | NDArray[Any] | None = None,
    coarse: Any = None,
    n_images: int = 3,
) -> NDArray[Any]:
    """Draw the most confident images of each fine class: a row for each coarse class (figure 3 of :cite:p:`Grcic2024`).

    In a row the fine classes stand side by side with a gap between them, in the order of the rows of `relation`, and
    in each the images with the highest probability of that class, the highest first. Only images of which it is the
    most probable class are drawn, so there may be fewer than `n_images`.

    Parameters
    ----------
    images
        uint8, N x H x W x 3 or N x H x W; or paths of files, (N,), of which only those that are drawn are read.
    proba
        Probabilities of the fine classes, (N, K_F): `proba_` of a fitted model, or what its `predict_proba` gives.
    relation
        M, (K_F, K_C): `relation_` of the model; with several data sets one of `relations_`.
    coarse_names
        Names of the columns of `relation`: `coarse_names_` of the model. Default: their numbers.
    coarse
        Draw this coarse class only.
    n_images
        Images of a fine class. Default: paper.

    Returns
    -------
    Array of Axes, one for each coarse class drawn.

    Raises
    ------
    ValueError
        If the arrays do not fit together, or `coarse` is not among the names.

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
    import matplotlib.pyplot as plt

    images, proba, relation = np.asarray(images), np.asarray(proba), np.asarray(relation)
    n_images = check_int(n_images, "n_images")
    names = list(range(relation.shape[-1]) if coarse_names is None else coarse_names)
    _check_shapes(images, proba, relation, names)
    drawn = _drawn(relation, names, coarse)
    classes = [np.flatnonzero(relation[:, column]) for column in drawn]
    width = max(len(row) for row in classes) * (n_images + _GAP) - _GAP
    size = (_INCHES * width + inches((names[c] for c in drawn), 8), (_INCHES + 0.08) * len(drawn))
    _, axes = plt.subplots(len(drawn), 1, figsize=size, squeeze=False, layout="compressed")
    for ax, column, row in zip(axes[:, 0], drawn, classes, strict=True):
        for place, fine in enumerate(row):
            chosen = _most_confident(proba, int(fine), n_images)
            _draw(ax, images[chosen], place * (n_images + _GAP))
        ax.set(xlim=(0, width), ylim=(0, 1), aspect="equal", xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.set_ylabel(
            str(names[column]), rotation=0, ha="right", va="center", fontsize=scaled(8), color=ink(ax), **LITERAL
        )
    drawn_on: NDArray[Any] = axes[:, 0]
    return drawn_on


def _drawn(relation: NDArray[Any], names: list[Any], coarse: Any) -> list[int]:
    """Columns to draw: those with fine classes, or the one asked for."""
    columns = np.flatnonzero(relation.any(axis=0)).tolist()
    if coarse is None:
        return columns
    if coarse not in names:
        msg = f"coarse={coarse!r} is no coarse class; there are {names}."
        raise ValueError(msg)
    if names.index(coarse) not in columns:
        msg = f"coarse={coarse!r} has no fine class in relation: there is nothing to draw."
        raise ValueError(msg)
    return [names.index(coarse)]


def _most_confident(proba: NDArray[Any], fine: int, n_images: int) -> NDArray[np.intp]:
    """Rows of the images that most probably are of this class, the most confident first."""
    members = np.flatnonzero(proba.argmax(axis=1) == fine)
    return members[np.argsort(-proba[members, fine], kind="stable")[:n_images]]


def _draw(ax: Axes, images: NDArray[Any], left: float) -> None:
    for i, image in enumerate(images):
        pixels = _middle(_read(image) if isinstance(image, str) else image)
        extent = (left + i, left + i + 1 - _SEAM, 0, 1 - _SEAM)
        ax.imshow(pixels, cmap="gray", extent=extent, interpolation="nearest", vmin=0, vmax=255)


def _read(path: str) -> NDArray[np.uint8]:
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _middle(pixels: NDArray[Any]) -> NDArray[Any]:
    """The square in the middle."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]


def _check_shapes(images: NDArray[Any], proba: NDArray[Any], relation: NDArray[Any], names: list[Any]) -> None:
    if proba.ndim != 2 or relation.ndim != 2 or proba.shape != (len(images), len(relation)):
        msg = (
            f"images, proba and relation have the shapes {images.shape}, {proba.shape} and {relation.shape}: "
            "give N images, N x K_F probabilities and a K_F x K_C relation."
        )
        raise ValueError(msg)
    if len(names) != relation.shape[1]:
        msg = f"coarse_names has {len(names)} names, relation has {relation.shape[1]} coarse classes."
        raise ValueError(msg)
