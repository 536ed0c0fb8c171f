"""EfficientNet-lite0 as a backbone: small enough to be trained on a CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, override

import torch
from torch import nn

from falcon_sc.benchmarks.images._encoder import load_encoder

if TYPE_CHECKING:
    from typing import Self

    from torch import Tensor


class Lite0(nn.Module):
    """Images (B, 3, S, S) to the mean of the last feature map, (B, 1280). Weights of ImageNet, trained with labels."""

    n_features_out = 1280

    def __init__(self) -> None:
        super().__init__()
        # layers that are dropped at random would be drawn from torch's global generator, so none are
        network = load_encoder("efficientnet-lite0", drop_connect_rate=0.0)
        network._fc = nn.Identity()  # its own 1,000 classes
        # half as fast again in this layout, on a CPU
        self.network = network.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        """Features of a batch."""
        maps: Tensor = self.network.extract_features(  # type: ignore[operator]
            x.contiguous(memory_format=torch.channels_last)
        )
        return maps.mean((2, 3))


class Frozen(nn.Module):
    """A backbone that training leaves as it is, its running statistics too."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(requires_grad=False)
        self.n_features_out = backbone.n_features_out
        self.train(mode=False)

    @override
    def train(self, mode: bool = True) -> Self:
        """Always in evaluation mode."""
        del mode
        return super().train(mode=False)

    def forward(self, x: Tensor) -> Tensor:
        """Features of a batch."""
        with torch.no_grad():
            features: Tensor = self.backbone(x)
        return features
