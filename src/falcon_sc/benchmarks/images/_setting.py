"""What the benchmark on images runs on: how much of the data, which network, how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from falcon_sc._checks import check_int

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np


@dataclass(frozen=True)
class Setting:
    """`parts`: files of 15,000 images each. `backbone`: "resnet18", or "narrow" for :class:`NarrowNetwork`.

    `pretraining_epochs` of MoCo-v3; `epochs` of discovery, and of the supervised bound.
    """

    parts: int
    backbone: str
    pretraining_epochs: int
    epochs: int


# Chosen by time alone, not by any accuracy: 16 minutes of one core a seed, all methods included.
REDUCED = Setting(parts=1, backbone="narrow", pretraining_epochs=15, epochs=20)
FULL = Setting(parts=4, backbone="resnet18", pretraining_epochs=200, epochs=100)


class NarrowNetwork(nn.Sequential):
    """Four convolutions with stride 2, of 16 to 128 channels: 32 x 32 images to 128 features."""

    n_features_out = 128

    def __init__(self, generator: torch.Generator) -> None:
        layers: list[nn.Module] = []
        n_in = 3
        for n_out in (16, 32, 64, 128):
            convolution: nn.Conv2d = nn.utils.skip_init(  # type: ignore[no-untyped-call]
                nn.Conv2d, n_in, n_out, kernel_size=3, stride=2, padding=1, bias=False
            )
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu", generator=generator)
            layers += [convolution, nn.BatchNorm2d(n_out), nn.ReLU(inplace=True)]
            n_in = n_out
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def network(name: str, rng: np.random.Generator) -> nn.Module:
    """The backbone of a setting, its weights drawn from `rng`."""
    from falcon_sc.vision import build_backbone

    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    backbone = NarrowNetwork(generator) if name == "narrow" else name
    return build_backbone(backbone, small_images=True, generator=generator)


def check_asked(data: Path | None, seeds: int) -> None:
    """Refuse, before any work, what cannot be run."""
    if data is None:
        msg = "data is not given: name the folder with cifar100_part0.npz (--data, or $FALCON_SC_DATA)."
        raise ValueError(msg)
    check_int(seeds, "seeds")
