"""The eight image data sets of the paper: where they are under one folder, and what they are trained with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from falcon_sc.core.config import FalconConfig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from falcon_sc.vision.datasets import ImageData
    from falcon_sc.vision.datasets._splits import Split

PRESETS = ("paper", "published", "ours")
HIERARCHY, TAXONOMY = "imagenet_class_hierarchy/modified", "tiered_imagenet_split"


@dataclass(frozen=True)
class ImageSet:
    """A data set: `read` a split of it from a folder, `paper`, the settings of the text, and `code`, the name of the published ones.

    `train` is the split of table F1; `size`, the side of a view in pixels, and `backbone` are those of appendix G.
    """

    read: Callable[[Path, Split], ImageData]
    paper: Callable[[], FalconConfig]
    code: str
    train: Split
    size: int
    backbone: str

    def config(self, preset: str, size: int) -> FalconConfig:
        """Settings of one of `PRESETS` for views of `size` pixels; "ours" are the defaults of `vision.discover`."""
        from falcon_sc.vision.discovery import default_config

        if preset == "ours":
            return default_config(size)
        return self.paper() if preset == "paper" else FalconConfig.published(self.code)


def _cifar(name: str, root: Path, split: Split) -> ImageData:
    from falcon_sc.vision import datasets

    read: Callable[..., ImageData] = getattr(datasets, name)
    return read(root, split=split)


def _breeds(name: str, root: Path, split: Split) -> ImageData:
    from falcon_sc.vision.datasets import breeds

    return breeds(name, _imagenet(root), root / HIERARCHY, split=split)  # type: ignore[arg-type]  # one of its names


def _tiered_imagenet(root: Path, split: Split) -> ImageData:
    from falcon_sc.vision.datasets import tiered_imagenet

    return tiered_imagenet(_imagenet(root), root / TAXONOMY, split=split)


def _imagenet(root: Path) -> Path:
    for folder in (root / "imagenet", root):
        if all((folder / part).is_dir() for part in ("train", "val")):
            return folder
    msg = f"root={str(root)!r} holds no folders train and val of ImageNet, and no folder imagenet that does."
    raise FileNotFoundError(msg)


def _small(name: str) -> ImageSet:
    return ImageSet(partial(_cifar, name), getattr(FalconConfig, name), name, "train90", 32, "resnet18")


def _large(name: str) -> ImageSet:
    return ImageSet(partial(_breeds, name), partial(FalconConfig.breeds, name), name, "train", 224, "resnet50")


SETS = {
    **{name: _small(name) for name in ("cifar100", "cifar68", "cifar_si")},
    **{name: _large(name) for name in ("living17", "nonliving26", "entity30", "entity13")},
    "tieredimagenet": ImageSet(
        _tiered_imagenet, FalconConfig.tiered_imagenet, "tiered_imagenet", "train", 224, "resnet50"
    ),
}
