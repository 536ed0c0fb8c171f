"""Images with labels at two levels, as every loader returns them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, repr=False)
class ImageData:
    """Images, their coarse and fine classes, and the names of both.

    Parameters
    ----------
    images
        The images themselves, uint8, N x height x width x 3 (red, green, blue), or the paths of N files to be
        decoded later, an array of str.
    fine
        Fine class of each image, N integers in [0, K_F); kept as int64. For scoring only.
    coarse
        Coarse class of each image, N integers in [0, K_C); kept as int64.
    fine_names
        Names of the K_F fine classes.
    coarse_names
        Names of the K_C coarse classes.

    Raises
    ------
    ValueError
        If the arrays do not fit together, a label has no name, a name stands for two classes, or the images of
        one fine class lie in two coarse classes.

    Examples
    --------
    >>> import numpy as np
    >>> from falcon_sc.vision.datasets import ImageData
    >>> images = np.zeros((3, 32, 32, 3), np.uint8)
    >>> data = ImageData(images, np.array([0, 1, 2]), np.array([0, 0, 1]), ("cat", "dog", "car"), ("pet", "vehicle"))
    >>> data
    ImageData: 3 images of 32 x 32, 2 coarse classes, 3 fine classes
    >>> data.relation
    array([[1, 0],
           [1, 0],
           [0, 1]], dtype=uint8)
    """

    images: NDArray[Any]
    fine: NDArray[np.int64]
    coarse: NDArray[np.int64]
    fine_names: tuple[str, ...]
    coarse_names: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_images(self.images)
        for level in ("fine", "coarse"):
            names = tuple(str(name) for name in getattr(self, f"{level}_names"))
            object.__setattr__(self, f"{level}_names", names)
            object.__setattr__(self, level, _checked_labels(getattr(self, level), level, len(self.images), names))
        _check_nesting(self)

    @cached_property
    def relation(self) -> NDArray[np.uint8]:
        """K_F x K_C: 1 where the images of a fine class lie in a coarse class (a row of zeros: no image of it)."""
        relation = np.zeros((len(self.fine_names), len(self.coarse_names)), np.uint8)
        relation[self.fine, self.coarse] = 1
        return relation

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        height_width = "" if self.images.ndim == 1 else f" of {self.images.shape[1]} x {self.images.shape[2]}"
        kind = "image files" if self.images.ndim == 1 else "images"
        classes = f"{len(self.coarse_names)} coarse classes, {len(self.fine_names)} fine classes"
        return f"ImageData: {len(self)} {kind}{height_width}, {classes}"

    def take(self, index: NDArray[Any]) -> ImageData:
        """Some of the images, by row numbers or a mask; the classes and their numbers stay as they are."""
        return replace(self, images=self.images[index], fine=self.fine[index], coarse=self.coarse[index])

    def without(self, names: Iterable[str]) -> ImageData:
        """Without the images of these fine classes; the classes that are left are numbered anew, in the same order.

        Raises
        ------
        ValueError
            If a name is not one of `fine_names`, or if nothing is left.
        """
        removed = set(names)
        if unknown := removed.difference(self.fine_names):
            msg = f"names holds {listed(sorted(unknown))}, but fine_names has {listed(self.fine_names)}."
            raise ValueError(msg)
        fine_left = np.array([name not in removed for name in self.fine_names])
        if not fine_left.any():
            msg = f"names holds all {len(removed)} fine classes: leave at least one."
            raise ValueError(msg)
        coarse_left = self.relation[fine_left].any(axis=0)
        rows = fine_left[self.fine]
        return ImageData(
            self.images[rows],
            _renumbered(fine_left)[self.fine[rows]],
            _renumbered(coarse_left)[self.coarse[rows]],
            _chosen(self.fine_names, fine_left),
            _chosen(self.coarse_names, coarse_left),
        )


def _check_images(images: object) -> None:
    if not isinstance(images, np.ndarray):
        msg = f"images must be a numpy array, found {type(images).__name__}."
        raise TypeError(msg)
    in_memory = images.dtype == np.uint8 and images.ndim == 4 and images.shape[3] == 3
    if not (in_memory or (images.dtype.kind == "U" and images.ndim == 1)):
        msg = (
            f"images has shape {images.shape} and dtype {images.dtype}: "
            "give uint8, N x height x width x 3, or N paths of files (str)."
        )
        raise ValueError(msg)


def _checked_labels(labels: NDArray[Any], level: str, n: int, names: tuple[str, ...]) -> NDArray[np.int64]:
    labels = np.asarray(labels)
    if labels.shape != (n,) or labels.dtype.kind not in "iu":
        msg = f"{level} has shape {labels.shape} and dtype {labels.dtype}: give {n} integers, one for each image."
        raise ValueError(msg)
    if n and not (labels.min() >= 0 and labels.max() < len(names)):
        msg = f"{level} holds labels from {labels.min()} to {labels.max()}, but there are {len(names)} {level}_names."
        raise ValueError(msg)
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        msg = f"{level}_names holds {listed(twice)} more than once: give every class a name of its own."
        raise ValueError(msg)
    return labels.astype(np.int64)


def _check_nesting(data: ImageData) -> None:
    split = np.flatnonzero(data.relation.sum(axis=1) > 1)
    if len(split):
        parents = _chosen(data.coarse_names, data.relation[split[0]] > 0)
        msg = (
            f"the images of fine class {data.fine_names[split[0]]!r} lie in the coarse classes {listed(parents)}: "
            "every fine class must lie in one coarse class."
        )
        raise ValueError(msg)


def _renumbered(left: NDArray[np.bool_]) -> NDArray[np.int64]:
    """New number of each class that is left."""
    return np.cumsum(left, dtype=np.int64) - 1


def _chosen(names: tuple[str, ...], mask: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(name for name, chosen in zip(names, mask, strict=True) if chosen)
