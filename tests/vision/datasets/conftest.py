"""Small archives and folders in the official formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from falcon_sc.vision.datasets import cifar

from . import official_imagenet
from .official_files import cifar_files, write_archive

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


@pytest.fixture(scope="session")
def small_cifar() -> dict[str, bytes]:
    """10 training and 4 test images of each class."""
    return cifar_files(10, 4)


@pytest.fixture
def archive(tmp_path: Path, small_cifar: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small archive, with its checksum in place of the official one."""
    path = tmp_path / "cifar-100-python.tar.gz"
    monkeypatch.setattr(cifar, "SHA256", write_archive(path, small_cifar))
    return path


@pytest.fixture
def write_imagenet(tmp_path: Path) -> Callable[[Sequence[str]], Path]:
    """Writes a folder of ImageNet with 11 training images and one validation image of each class, all empty files."""
    return lambda classes: official_imagenet.write_imagenet(tmp_path / "imagenet", classes)
