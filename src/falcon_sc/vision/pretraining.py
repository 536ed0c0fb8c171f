"""Self-supervised pretraining of a backbone with MoCo-v3."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import torch
from torch import nn

from falcon_sc._checks import check_int, check_writable
from falcon_sc._log import show_log
from falcon_sc.core.runtime import distributed
from falcon_sc.core.runtime.checkpoint import Checkpoint, fingerprint
from falcon_sc.core.runtime.device import resolve_device
from falcon_sc.core.runtime.surroundings import undisturbed
from falcon_sc.core.settings.ranges import generator_of
from falcon_sc.vision.augmentation import LARGE_VIEW
from falcon_sc.vision.backbones import build_backbone
from falcon_sc.vision.moco.network import MoCo
from falcon_sc.vision.moco.training import MoCoSettings, MoCoTraining, generator_for
from falcon_sc.vision.recipes import SMALL_SIZE_MAX
from falcon_sc.vision.samples import image_samples

if TYPE_CHECKING:
    from pathlib import Path

    from falcon_sc.vision.moco.training import Images

_OPTIMIZERS = ("lars", "sgd")
_N_FINGERPRINTED = 64


@undisturbed()
def pretrain(
    images: Any,
    backbone: str | nn.Module = "resnet18",
    *,
    n_epochs: int = 1000,
    batch_size: int = 256,
    lr: float = 0.3,
    weight_decay: float = 1e-6,
    temperature: float = 0.2,
    momentum: float = 0.99,
    optimizer: Literal["lars", "sgd"] = "lars",
    size: int | None = None,
    device: str | torch.device | None = None,
    rng: int | np.random.Generator = 0,
    checkpoint: str | Path | None = None,
    progress_bar: bool = True,
) -> nn.Module:
    """Train a backbone on images without labels, with MoCo-v3.

    The defaults are solo-learn's for CIFAR, with which the backbone of the paper was trained. On a GPU the forward
    passes are in bfloat16. In a started process group of `torch.distributed` (`torchrun`), every process takes its
    share of each batch, and the keys of all are gathered.

    Parameters
    ----------
    images
        uint8 array, N x H x W x 3 (N x H x W without color), paths of files (N,), a torch data set of images, or what
        :func:`falcon_sc.vision.image_samples` gives: files are decoded ahead by worker processes.
    backbone
        "resnet18", "resnet50" or a network with `n_features_out`, which is left as it is; see :func:`build_backbone`.
    n_epochs
        Passes over the images. The last images of a pass that fill no batch are left out of it.
    batch_size
        Images of a step, of all processes together.
    lr
        Largest learning rate; it rises over the first 10 epochs (at most a tenth of the run) and falls along a cosine.
    weight_decay
        Of the weights; LARS leaves biases and normalization layers out.
    temperature
        tau of the loss.
    momentum
        Of the network of the keys at the start; it rises to 1 along a cosine.
    optimizer
        "lars", or "sgd" with momentum 0.9.
    size
        Side of the views in pixels; default: the shorter side of the images, at most 224. Up to 64 pixels count as
        small images.
    device
        Default: a GPU if there is one.
    rng
        Seed or generator. On the CPU the same seed gives the same weights, bit for bit.
    checkpoint
        Folder for the state of the run, written every twenty seconds at most; an interrupted run goes on from there.
    progress_bar
        Show one.

    Returns
    -------
    The trained backbone, in evaluation mode, on the device.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If the images are none, a setting is out of its range, or the checkpoint belongs to another run.
    FloatingPointError
        If the loss stops being finite.

    Examples
    --------
    >>> import numpy as np
    >>> from falcon_sc.vision import pretrain
    >>> images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)
    >>> encoder = pretrain(images, n_epochs=1, batch_size=4, device="cpu", progress_bar=False)
    >>> encoder.n_features_out
    512
    """
    show_log()
    device = resolve_device(device)
    distributed.join(device)
    n_processes = distributed.size()
    _check_settings(optimizer, lr=lr, temperature=temperature, momentum=momentum, weight_decay=weight_decay)
    n_epochs, batch_size = check_int(n_epochs, "n_epochs"), check_int(batch_size, "batch_size", minimum=2)
    samples = cast("Images", images if hasattr(images, "stream") else image_samples(images, device=device))
    if not batch_size <= len(samples) or batch_size % n_processes:
        msg = (
            f"batch_size={batch_size} must be at most the number of images ({len(samples)}) "
            f"and a multiple of the number of processes ({n_processes})."
        )
        raise ValueError(msg)
    first = samples.rows(torch.arange(min(len(samples), _N_FINGERPRINTED), device=device))
    size = min(*first.shape[2:], LARGE_VIEW) if size is None else check_int(size, "size", minimum=8)
    if checkpoint is not None:
        checkpoint = check_writable(checkpoint, "checkpoint", folder=True)

    seed = int(generator_of(rng).integers(2**63))
    settings = MoCoSettings(n_epochs, batch_size, lr, weight_decay, temperature, momentum, optimizer, size, seed)
    weights = generator_for(torch.device("cpu"), seed)
    encoder = copy.deepcopy(build_backbone(backbone, small_images=size <= SMALL_SIZE_MAX, generator=weights))
    moco = MoCo(copy.deepcopy(encoder), temperature=temperature, generator=weights)
    state = None
    if checkpoint is not None:
        content = images if isinstance(images, np.ndarray) and images.dtype == np.uint8 else first.cpu().numpy()
        start = [tensor.cpu().numpy() for tensor in encoder.state_dict().values()]
        state = _open_checkpoint(checkpoint, fingerprint(settings, len(samples), content, repr(encoder), *start))
    run = MoCoTraining(samples, moco, settings, device)
    run.train(state, progress_bar=progress_bar)
    encoder.load_state_dict(run.moco.encoder.state_dict())
    return encoder.to(device).eval()


def _open_checkpoint(folder: Path, key: str) -> Checkpoint:
    """The first process makes the folder, the others find it made."""

    def make() -> None:
        Checkpoint(folder, key)

    distributed.share(make)
    return Checkpoint(folder, key)


def _check_settings(optimizer: str, **values: float) -> None:
    if optimizer not in _OPTIMIZERS:
        msg = f"optimizer must be 'lars' or 'sgd', found {optimizer!r}."
        raise ValueError(msg)
    for name, value in values.items():
        low_is_open, high = name in ("lr", "temperature"), 1.0 if name == "momentum" else math.inf
        if not 0 <= value <= high or (low_is_open and value == 0):
            bound = "above 0" if low_is_open else "between 0 and 1" if name == "momentum" else "at least 0"
            msg = f"{name} must be {bound}, found {value}."
            raise ValueError(msg)
