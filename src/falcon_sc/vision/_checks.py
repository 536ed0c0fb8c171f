"""What `discover` refuses before it reads a single image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import listed
from falcon_sc.core.data.batches import check_views
from falcon_sc.core.fitting.run import check_config
from falcon_sc.core.settings.ranges import check_rng

if TYPE_CHECKING:
    from numpy.typing import NDArray


def check_settings(config: object, views: object, rng: object) -> None:
    """Refuse what is none, before anything is read."""
    check_rng(rng)
    if views is not None:
        check_views(views)
    if config is not None:
        check_config(config)


def refuse_ignored(why: str, arguments: dict[str, Any]) -> None:
    """Arguments that only mean something for pixels are no use beside features: say so instead of passing over them."""
    given = [name for name, value in arguments.items() if value is not None]
    if given:
        msg = f"{why}, for which an MLP is trained: {listed(given)} would be ignored. Leave them out, or give images."
        raise ValueError(msg)


def check_features(features: Any, n_images: int) -> None:
    """Features that are given stand for the images, row by row."""
    if features is not None and (np.ndim(features) != 2 or len(features) != n_images):
        msg = (
            f"features must be a matrix with a row for each of the {n_images} images, found shape {np.shape(features)}."
        )
        raise ValueError(msg)


def check_matrix(images: NDArray[np.floating[Any]]) -> None:
    """Floating-point numbers are features, in rows."""
    if images.ndim != 2:
        msg = (
            f"images is an array of floating-point numbers of shape {images.shape}: give pixels as uint8, 0 to 255, "
            "N x H x W x 3, or features of the images, N x d."
        )
        raise ValueError(msg)
