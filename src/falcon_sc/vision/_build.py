"""Backbones and views by name and size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from falcon_sc.core.training.networks import check_network
from falcon_sc.vision.augmentation import SMALL_SIZE_MAX, ImageViews

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from falcon_sc.core.data.batches import Views


def build_network(backbone: str | nn.Module, size: int, rng: np.random.Generator) -> nn.Module:
    """A backbone by name, its weights drawn from `rng`, or the module given."""
    if isinstance(backbone, torch.nn.Module):
        check_network(backbone)
        return backbone
    from falcon_sc.vision.backbones import build_backbone

    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    return build_backbone(backbone, small_images=size <= SMALL_SIZE_MAX, generator=generator)


def build_views(size: int) -> Views:
    """The random views of images of this size."""
    return ImageViews(size)
