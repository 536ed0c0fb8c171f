"""A saved model of images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.model import Falcon
from falcon_sc.core.state.persistence import describe
from falcon_sc.vision.augmentation import ImageViews
from falcon_sc.vision.backbones import draw_backbone

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import nn

    from falcon_sc.core.data.batches import Views


def load(
    path: str | Path,
    *,
    backbone: nn.Module | None = None,
    views: Views | None = None,
    device: str | torch.device | None = None,
) -> Falcon:
    """Read a model of images that :func:`falcon_sc.vision.discover` saved.

    Parameters
    ----------
    path
        The folder.
    backbone
        Only for a model of a backbone of your own: the same kind of module.
    views
        Only for a model with views of your own: the same views.
    device
        `None`: a GPU if there is one.

    Raises
    ------
    FileNotFoundError
        If there is no model at `path`.
    ValueError
        If `backbone` or `views` is needed, or given and not needed.

    Examples
    --------
    >>> model = falcon_sc.vision.load("falcon_model")  # doctest: +SKIP
    """
    about = describe(path)["metadata"]
    if backbone is None and about.get("backbone") is not None:
        backbone = draw_backbone(about["backbone"], about["size"], np.random.default_rng(0))
    if views is None and about.get("own_views") is False:
        views = ImageViews(about["size"])
    return Falcon.load(path, network=backbone, views=views, device=device)
