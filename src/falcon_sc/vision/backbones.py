"""Networks that turn images into features."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from falcon_sc.core.training.networks import check_network
from falcon_sc.vision.recipes import SMALL_SIZE_MAX

if TYPE_CHECKING:
    import numpy as np
    from torch import Generator

_NAMES = ("resnet18", "resnet50")


def build_backbone(backbone: str | nn.Module, *, small_images: bool, generator: Generator) -> nn.Module:
    """A ResNet without its last layer (paper, appendix G), or the network given.

    Parameters
    ----------
    backbone
        "resnet18" (512 features), "resnet50" (2,048), or a network of your own: images (B, 3, S, S), float32, to
        features (B, n_features_out), with that number as its attribute `n_features_out`. It is returned as it is.
    small_images
        For images of up to 64 pixels: the first convolution is 3 x 3 with stride 1, and nothing is pooled after it
        (published code).
    generator
        On the CPU. The weights of a ResNet are drawn from it; torch's global one is not touched.

    Returns
    -------
    The network, on the CPU.

    Raises
    ------
    ValueError
        If the name is not known, or the network has no `n_features_out`.
    ImportError
        If torchvision is not installed.

    Examples
    --------
    >>> import torch
    >>> from falcon_sc.vision import build_backbone
    >>> network = build_backbone("resnet18", small_images=True, generator=torch.Generator().manual_seed(0))
    >>> network(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 512])
    """
    if isinstance(backbone, nn.Module):
        check_network(backbone, "backbone")
        return backbone
    if backbone not in _NAMES:
        msg = f"backbone must be 'resnet18', 'resnet50' or a torch.nn.Module, found {backbone!r}."
        raise ValueError(msg)
    return _resnet(backbone, small_images=small_images, generator=generator)


def draw_backbone(backbone: str | nn.Module, size: int, rng: np.random.Generator) -> nn.Module:
    """A backbone for images of `size` pixels: by name, its weights drawn from `rng`; or the network given."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    return build_backbone(backbone, small_images=size <= SMALL_SIZE_MAX, generator=generator)


def for_convolutions(network: nn.Module, device: torch.device) -> nn.Module:
    """The network, for a GPU a copy in the layout that convolutions are fastest in there; what it is given follows."""
    if device.type != "cuda":
        return network
    return copy.deepcopy(network).to(memory_format=torch.channels_last)


def _resnet(name: str, *, small_images: bool, generator: Generator) -> nn.Module:
    models = _torchvision_models()
    with torch.device("meta"):  # no memory and no random numbers yet
        network = getattr(models, name)(weights=None)
        network.n_features_out = network.fc.in_features
        network.fc = nn.Identity()
        if small_images:
            # padding of 2: so were the public CIFAR weights trained, and so does the published code
            network.conv1 = nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=2, bias=False)
            network.maxpool = nn.Identity()
    network.to_empty(device="cpu")
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            # torchvision's rule for ResNets
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu", generator=generator)
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()
    return network  # type: ignore[no-any-return]


def _torchvision_models() -> Any:
    try:
        from torchvision import models
    except ImportError as error:
        msg = "backbones by name need torchvision: pip install 'falcon-sc[image]', or pass a network of your own."
        raise ImportError(msg) from error
    return models
