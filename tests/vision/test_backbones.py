from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

from falcon_sc.vision.backbones import build_backbone


def _source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.image
@pytest.mark.parametrize(("name", "n_features"), [("resnet18", 512), ("resnet50", 2048)])
@pytest.mark.parametrize("small_images", [True, False])
def test_features(name: str, n_features: int, small_images: bool) -> None:
    network = build_backbone(name, small_images=small_images, generator=_source()).eval()
    assert network.n_features_out == n_features
    side = 8 if small_images else 40
    assert network(torch.rand(2, 3, side, side)).shape == (2, n_features)
    assert network.conv1.kernel_size == ((3, 3) if small_images else (7, 7))
    assert all(torch.isfinite(tensor).all() for tensor in network.state_dict().values())


@pytest.mark.image
def test_weights_come_from_the_generator_alone() -> None:
    before = torch.get_rng_state()
    one, again, other = (
        build_backbone("resnet18", small_images=True, generator=_source(seed)).state_dict() for seed in (1, 1, 2)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["conv1.weight"], other["conv1.weight"])


@pytest.mark.image
def test_weights_are_drawn_as_torchvision_draws_them() -> None:
    from torchvision.models import resnet18

    torch.manual_seed(0)
    expected = resnet18().state_dict()
    found = build_backbone("resnet18", small_images=False, generator=_source()).state_dict()
    assert set(expected) - set(found) == {"fc.weight", "fc.bias"}
    for name, tensor in found.items():
        if tensor.ndim == 4:
            assert tensor.std() == pytest.approx(float(expected[name].std()), rel=0.05), name
        else:
            torch.testing.assert_close(tensor, expected[name])


def test_own_network_is_returned() -> None:
    network = nn.Flatten()
    network.n_features_out = 48
    assert build_backbone(network, small_images=True, generator=_source()) is network
    with pytest.raises(ValueError, match=r"backbone \(Flatten\) has no attribute n_features_out"):
        build_backbone(nn.Flatten(), small_images=True, generator=_source())


def test_unknown_name() -> None:
    with pytest.raises(ValueError, match="found 'resnet19'"):
        build_backbone("resnet19", small_images=True, generator=_source())


def test_without_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(ImportError, match=r"pip install 'falcon-sc\[image\]'"):
        build_backbone("resnet18", small_images=True, generator=_source())
