"""The images of the benchmark, and what every method on them starts from: one pretrained backbone and its features."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.benchmarks.images._setting import Setting, network

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from numpy.typing import NDArray
    from torch import nn

    from falcon_sc.vision.augmentation import ImageViews
    from falcon_sc.vision.datasets import ImageData


@dataclass(frozen=True)
class Problem:
    """Images and features; methods other than the bound read no fine label of it, only `n_fine`.

    `features` and `test_features` are those of `backbone`, which was trained without labels in `pretraining_seconds`.
    `state` is the folder of checkpoints, if there is one.
    """

    train: ImageData
    test: ImageData
    setting: Setting
    seed: int
    backbone: nn.Module
    views: ImageViews
    features: NDArray[np.float32]
    test_features: NDArray[np.float32]
    device: torch.device
    pretraining_seconds: float
    state: Path | None

    @property
    def n_fine(self) -> int:
        """Total number of fine classes."""
        return len(self.train.fine_names)

    @property
    def pretraining_speed(self) -> float:
        """Images a second."""
        return self.setting.pretraining_epochs * len(self.train) / self.pretraining_seconds

    def checkpoint(self, name: str) -> Path | None:
        """Where a run of that name keeps its state."""
        return None if self.state is None else self.state / f"{name}-{self.seed}"


def read(data: Path, setting: Setting) -> tuple[ImageData, ImageData]:
    """Training and test images of as many parts as the setting asks for."""
    from falcon_sc.vision.datasets import from_npz

    files = [data / f"cifar100_part{i}.npz" for i in range(setting.parts)]
    for file in files:
        if not file.is_file():
            msg = f"data={str(data)!r} has no file {file.name!r}: this setting reads {setting.parts} of them."
            raise FileNotFoundError(msg)
    return from_npz(files, split="train"), from_npz(files, split="test")


def prepare(
    train: ImageData, test: ImageData, setting: Setting, seed: int, *, device: torch.device, state: Path | None
) -> Problem:
    """Pretrain on the training images and take the features of all of them."""
    from falcon_sc.core.runtime.checkpoint import seconds_spent
    from falcon_sc.vision import ImageViews, extract_features, image_samples, pretrain

    folder = None if state is None else state / f"pretraining-{seed}"
    seconds_before = 0.0 if folder is None else seconds_spent(folder)
    began = time.perf_counter()
    rng = np.random.default_rng(seed)
    backbone = pretrain(
        train.images,
        network(setting.backbone, rng),
        n_epochs=setting.pretraining_epochs,
        batch_size=min(256, len(train)),
        device=device,
        rng=rng,
        checkpoint=folder,
        progress_bar=False,
    )
    seconds = seconds_before + time.perf_counter() - began
    views = ImageViews(train.images.shape[1])
    features, test_features = (
        extract_features(backbone, image_samples(part.images, device=device), views) for part in (train, test)
    )
    return Problem(train, test, setting, seed, backbone, views, features, test_features, device, seconds, state)
