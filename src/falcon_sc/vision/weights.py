"""Weights of a backbone on disk: our own files, and the layouts of two public kinds of checkpoint."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import torch

from falcon_sc._checks import listed
from falcon_sc.core.runtime.files import as_path, write_tensors

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

# Where the weights of the backbone are in a checkpoint, and what of it belongs to the head. The momentum copies
# ("module.momentum_encoder.", "momentum_backbone.") begin otherwise and stay out.
_PREFIXES = (
    "module.base_encoder.",  # MoCo-v3, ResNet-50; its projector is base_encoder.fc
    "backbone.",  # solo-learn
    "encoder.",  # solo-learn, older versions
)
_HEAD = "fc."
_OWN_KEY = "falcon_sc_encoder"


def save_encoder(encoder: nn.Module, path: str | Path) -> None:
    """Save the weights of a backbone for :func:`load_pretrained`: tensors only.

    Parameters
    ----------
    encoder
        A backbone, as :func:`pretrain` returns it.
    path
        File to write. What was there stays until the new file is whole.

    Examples
    --------
    >>> import torch
    >>> from falcon_sc.vision import build_backbone, load_pretrained, save_encoder
    >>> one, other = (
    ...     build_backbone("resnet18", small_images=True, generator=torch.Generator().manual_seed(seed))
    ...     for seed in (0, 1)
    ... )
    >>> save_encoder(one, "encoder.pt")
    >>> load_pretrained(other, "encoder.pt")
    >>> bool((one.conv1.weight == other.conv1.weight).all())
    True
    """
    path = as_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(path, {_OWN_KEY: {name: tensor.cpu() for name, tensor in encoder.state_dict().items()}})


def load_pretrained(backbone: nn.Module, path: str | Path) -> None:
    """Load weights into a backbone, in place.

    Recognized: files of :func:`save_encoder`; the public MoCo-v3 ResNet-50 (keys `module.base_encoder.*`);
    solo-learn's ResNet-18 for CIFAR (`backbone.*`, older `encoder.*`); and the plain state of a network. Heads,
    projectors, predictors and momentum copies are left out. Read with `weights_only=True`: no code in the file runs.

    Parameters
    ----------
    backbone
        A network of :func:`build_backbone`.
    path
        The checkpoint.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no checkpoint, holds more than tensors and plain values, or does not fit the backbone; nothing
        is loaded then.

    Examples
    --------
    >>> import torch
    >>> from falcon_sc.vision import build_backbone, load_pretrained
    >>> network = build_backbone("resnet18", small_images=True, generator=torch.Generator().manual_seed(0))
    >>> torch.save({"state_dict": network.state_dict()}, "checkpoint.pth")  # as those of others
    >>> load_pretrained(network, "checkpoint.pth")
    """
    state = _backbone_state(_read(as_path(path)))
    expected = backbone.state_dict()
    differing = [
        f"{name} is {_shape(state[name])} in the file and {_shape(expected[name])} here"
        for name in expected
        if name in state and state[name].shape != expected[name].shape
    ]
    missing = [name for name in expected if name not in state]
    unexpected = [name for name in state if name not in expected]
    problems = []
    if missing:
        problems.append(f"keys that the backbone needs and the file lacks: {listed(missing)}")
    if unexpected:
        problems.append(f"keys of the file that the backbone lacks: {listed(unexpected)}")
    if differing:
        problems.append("shapes that differ: " + "; ".join(differing[:3]))
    if problems:
        msg = (
            f"pretrained={str(path)!r} does not fit the backbone. {'. '.join(problems)}. "
            "Check backbone= and the size of the images (up to 64 pixels the first convolution is 3 x 3, else 7 x 7)."
        )
        raise ValueError(msg)
    backbone.load_state_dict(state)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        msg = f"pretrained={str(path)!r}: there is no such file."
        raise FileNotFoundError(msg)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        msg = (
            f"pretrained={str(path)!r} is no checkpoint, or holds Python objects besides tensors, which are not loaded "
            "because they can run code. If you trust it, save its state_dict alone: "
            "torch.save({'state_dict': torch.load(path, weights_only=False)['state_dict']}, new_path)."
        )
        raise ValueError(msg) from error
    except (EOFError, RuntimeError) as error:
        msg = f"pretrained={str(path)!r} cannot be read as a checkpoint ({type(error).__name__}: it may be cut short)."
        raise ValueError(msg) from error
    if not isinstance(content, dict):
        msg = f"pretrained={str(path)!r} holds a {type(content).__name__}, not the state of a network."
        raise ValueError(msg)
    return content


def _backbone_state(content: dict[str, Any]) -> dict[str, Tensor]:
    """The entries of the backbone, named as in the backbone."""
    if _OWN_KEY in content:
        own: dict[str, Tensor] = content[_OWN_KEY]
        return own
    state = content.get("state_dict", content)
    for prefix in _PREFIXES:
        inside = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        if inside:
            return {name: value for name, value in inside.items() if not name.startswith(_HEAD)}
    return {name: value for name, value in state.items() if not name.startswith(_HEAD)}


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "one number"
