"""Images as people have them, as squares of pixels from 0 to 255."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIDE = 256  # of a file that is drawn so small


def check_pixels(images: NDArray[Any]) -> float:
    """What makes the numbers of all images pixels, 255 where they are shares of white, else 1; paths (N,) are read later.

    Raises
    ------
    ValueError
        If they are no paths, and no numbers from 0 to 255.
    """
    if images.ndim == 1 and all(isinstance(path, str | os.PathLike) for path in images):
        return 1.0
    if images.dtype == np.uint8 and images.ndim > 1:
        return 1.0
    found = str(images.dtype)
    if images.ndim > 1 and images.dtype.kind in "biuf" and images.size:
        lowest, largest = float(images.min()), float(images.max())
        if 0 <= lowest <= largest <= 255:
            return 255.0 if images.dtype.kind in "bf" and largest <= 1 else 1.0
        found += f" from {lowest:g} to {largest:g}"
    msg = (
        f"images must be pixels from 0 to 255, shares of white from 0 to 1 (floats), or paths of files, found {found}."
    )
    raise ValueError(msg)


def square_of(image: Any, scale: float) -> NDArray[np.uint8]:
    """The pixels of the square in the middle, of an image or of the file of one."""
    pixels = _read(image) if isinstance(image, str | os.PathLike) else image
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = pixels[top : top + side, left : left + side]
    return middle if middle.dtype == np.uint8 else np.rint(middle * scale).astype(np.uint8)


def _read(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    from PIL import Image

    with Image.open(path) as image:
        image.draft("RGB", (2 * _SIDE, 2 * _SIDE))  # a JPEG much larger than that is decoded smaller
        small = image.convert("RGB")
        small.thumbnail((_SIDE, _SIDE))
        return np.asarray(small)
