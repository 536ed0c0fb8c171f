"""Networks of a few weights for the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor


class Tiny(nn.Module):
    """A convolution and means of its channels: 16 features."""

    n_features_out = 16

    def __init__(self, seed: int = 0, *, norm: bool = True) -> None:
        super().__init__()
        self.convolution = nn.utils.skip_init(nn.Conv2d, 3, 16, kernel_size=3, bias=False)
        nn.init.kaiming_normal_(self.convolution.weight, generator=torch.Generator().manual_seed(seed))
        self.norm = nn.BatchNorm2d(16) if norm else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) to (B, 16)."""
        return torch.relu(self.norm(self.convolution(images))).mean((2, 3))
