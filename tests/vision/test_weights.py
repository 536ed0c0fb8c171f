"""Files of the public layouts, written here: what their checkpoints hold, with random weights."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

import pytest
import torch

from falcon_sc.vision.backbones import build_backbone
from falcon_sc.vision.weights import load_pretrained, save_encoder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import nn

pytestmark = pytest.mark.image  # ResNets


def _network(name: str = "resnet18", seed: int = 0, *, small: bool = True) -> nn.Module:
    return build_backbone(name, small_images=small, generator=torch.Generator().manual_seed(seed))


def _mlp(prefix: str) -> dict[str, torch.Tensor]:
    return {f"{prefix}.0.weight": torch.rand(4, 2), f"{prefix}.1.running_mean": torch.zeros(4)}


def _moco_v3(network: nn.Module) -> dict[str, object]:
    state = network.state_dict()
    return {
        "epoch": 1000,
        "arch": "resnet50",
        "state_dict": {
            **{f"module.base_encoder.{name}": tensor for name, tensor in state.items()},
            **_mlp("module.base_encoder.fc"),
            **{f"module.momentum_encoder.{name}": tensor + 1 for name, tensor in state.items()},
            **_mlp("module.momentum_encoder.fc"),
            **_mlp("module.predictor"),
        },
        "optimizer": {"state": {0: {"mu": torch.rand(3)}}, "param_groups": [{"lr": 0.1, "params": [0]}]},
        "scaler": {"scale": 65536.0},
    }


def _solo_learn(network: nn.Module, prefix: str) -> dict[str, object]:
    state = network.state_dict()
    return {
        "epoch": 999,
        "global_step": 195000,
        "pytorch-lightning_version": "1.5.2",
        "state_dict": {
            **{f"{prefix}.{name}": tensor for name, tensor in state.items()},
            "classifier.weight": torch.rand(100, 512),
            "classifier.bias": torch.rand(100),
            **{f"momentum_{prefix}.{name}": tensor + 1 for name, tensor in state.items()},
            **_mlp("projector"),
            **_mlp("momentum_projector"),
            **_mlp("predictor"),
        },
    }


def _assert_equal(one: nn.Module, other: nn.Module) -> None:
    expected = other.state_dict()
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def _with_a_head(network: nn.Module) -> dict[str, torch.Tensor]:
    return {**network.state_dict(), "fc.weight": torch.rand(10, 512), "fc.bias": torch.rand(10)}


@pytest.mark.parametrize(
    ("network", "layout"),
    [
        ({"name": "resnet18"}, partial(_solo_learn, prefix="backbone")),
        ({"name": "resnet18"}, partial(_solo_learn, prefix="encoder")),
        ({"name": "resnet50", "small": False}, _moco_v3),
        ({"name": "resnet18"}, _with_a_head),
    ],
    ids=["solo-learn", "older solo-learn", "moco-v3", "state with a head"],
)
def test_public_layouts(tmp_path: Path, network: dict, layout: Callable[[nn.Module], dict]) -> None:
    source, target = _network(**network, seed=1), _network(**network, seed=2)
    torch.save(layout(source), tmp_path / "weights.pth.tar")
    load_pretrained(target, tmp_path / "weights.pth.tar")
    _assert_equal(target, source)


def test_our_own_file(tmp_path: Path) -> None:
    source, target = _network(seed=1), _network(seed=2)
    save_encoder(source, tmp_path / "new" / "encoder.pt")
    load_pretrained(target, tmp_path / "new" / "encoder.pt")
    _assert_equal(target, source)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["encoder.pt"]


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"name": "resnet50"}, r"keys that the backbone needs and the file lacks: 'layer1.0.conv3.weight'.* more"),
        ({"small": False}, r"shapes that differ: conv1.weight is 64x3x3x3 in the file and 64x3x7x7 here"),
    ],
    ids=["missing", "shape"],
)
def test_another_network_is_named_and_nothing_is_loaded(tmp_path: Path, network: dict, message: str) -> None:
    torch.save(_solo_learn(_network(), "backbone"), tmp_path / "a.ckpt")
    target = _network(**network, seed=3)
    with pytest.raises(ValueError, match=message):
        load_pretrained(target, tmp_path / "a.ckpt")
    _assert_equal(target, _network(**network, seed=3))


def test_unexpected_keys_are_named(tmp_path: Path) -> None:
    torch.save(
        {"backbone.more.weight": torch.rand(2), **_solo_learn(_network(), "backbone")["state_dict"]}, tmp_path / "a"
    )
    with pytest.raises(ValueError, match=r"keys of the file that the backbone lacks: 'more.weight'\."):
        load_pretrained(_network(), tmp_path / "a")


def test_objects_are_not_loaded(tmp_path: Path) -> None:
    state = {**_solo_learn(_network(), "backbone"), "hyper_parameters": argparse.Namespace(lr=0.3)}
    torch.save(state, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match="holds Python objects besides tensors"):
        load_pretrained(_network(), tmp_path / "a.ckpt")


def test_other_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        load_pretrained(_network(), tmp_path / "a.pt")
    (tmp_path / "text.pt").write_text("weights")
    with pytest.raises(ValueError, match=r"text.pt' is no checkpoint"):
        load_pretrained(_network(), tmp_path / "text.pt")
    (tmp_path / "empty.pt").touch()
    with pytest.raises(ValueError, match="cannot be read as a checkpoint"):
        load_pretrained(_network(), tmp_path / "empty.pt")
    torch.save(torch.rand(3), tmp_path / "tensor.pt")
    with pytest.raises(ValueError, match="holds a Tensor, not the state of a network"):
        load_pretrained(_network(), tmp_path / "tensor.pt")
