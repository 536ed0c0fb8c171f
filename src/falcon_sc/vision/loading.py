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

    Returns
    -------
    The fitted model, without what it said of the images that it was fitted on.

    Raises
    ------
    FileNotFoundError
        If there is no model at `path`.
    ValueError
        If `backbone` or `views` is needed, or given and not needed.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from falcon_sc import FalconConfig, vision
    >>> images, coarse = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8), np.arange(60) % 2
    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 16))
    >>> network.n_features_out = 16
    >>> options = {"device": "cpu", "progress_bar": False, "save_model": "falcon_model"}
    >>> config = FalconConfig(prior="uniform", max_epochs=1)
    >>> model = vision.discover(images, coarse, 4, backbone=network, config=config, **options)
    >>> loaded = vision.load("falcon_model", backbone=network, device="cpu")
    >>> samples = vision.image_samples(images, device="cpu")
    >>> bool((loaded.predict(samples) == model.predict(samples)).all())
    True
    """
    about = describe(path)["metadata"]
    of_its_own = {"backbone": about.get("backbone") is None, "views": about.get("own_views") is not False}
    for argument, given in {"backbone": backbone, "views": views}.items():
        # it would be taken, and the model would read images otherwise than it learned to
        if given is not None and not of_its_own[argument]:
            msg = f"path={str(path)!r} was fitted without {argument} of its own: leave {argument} out."
            raise ValueError(msg)
    if backbone is None and about.get("backbone") is not None:
        backbone = draw_backbone(about["backbone"], about["size"], np.random.default_rng(0))
    if views is None and about.get("own_views") is False:
        views = ImageViews(about["size"])
    return Falcon.load(path, network=backbone, views=views, device=device)
