"""Features of images: what a backbone gives for each of them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import torch

from falcon_sc.core.data.batches import check_views
from falcon_sc.core.state.inference import features_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from falcon_sc.core.config import Precision
    from falcon_sc.core.data.batches import Samples, Views


def extract_features(
    backbone: nn.Module, samples: Samples, views: Views, *, precision: Precision = "float32"
) -> NDArray[np.float32]:
    """Features of all images, float32 (N, `n_features_out`), in evaluation mode, from their plain views.

    Parameters
    ----------
    backbone
        Left as it is.
    samples
        Images, see :func:`falcon_sc.vision.image_samples`.
    views
        Of which the plain one is taken.
    precision
        `"bfloat16"` on a GPU takes less time; the features are float32 in any case.

    Returns
    -------
    The features, float32, (N, `n_features_out`), in the order of the samples.

    Raises
    ------
    TypeError
        If `samples` are no such images, or `views` lacks a method.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from falcon_sc import vision
    >>> samples = vision.image_samples(np.zeros((5, 8, 8, 3), dtype=np.uint8), device="cpu")
    >>> vision.extract_features(torch.nn.Flatten(), samples, vision.ImageViews(8)).shape
    (5, 192)
    """
    check_views(views)
    if not hasattr(samples, "stream"):
        msg = f"samples must be what falcon_sc.vision.image_samples gives, found {type(samples).__name__}."
        raise TypeError(msg)
    network = copy.deepcopy(backbone).to(samples.device).eval()
    with torch.no_grad():
        blocks = [features.cpu().numpy() for _, features in features_of(network, samples, views, precision)]
    return np.concatenate(blocks)
