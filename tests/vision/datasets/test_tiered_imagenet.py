"""tieredImageNet, from a taxonomy in the official format."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pytest

from falcon_sc.vision.datasets import tiered_imagenet

from .official_imagenet import OFFICIAL_SIZES, write_taxonomy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


@pytest.fixture
def taxonomy(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    folder = tmp_path / "tiered_imagenet_split"
    return folder, write_taxonomy(folder)


def test_counts_of_table_1(taxonomy, write_imagenet: Callable[[Sequence[str]], Path]) -> None:
    folder, category_of = taxonomy
    root = write_imagenet([*category_of, "n01440764"])  # and a class of ImageNet that is not asked for
    train, test = (tiered_imagenet(root, folder, split=split) for split in ("train", "test"))
    assert (len(train.coarse_names), len(train.fine_names)) == (34, 608)
    assert (len(train), len(test)) == (11 * 608, 608)
    assert sorted(train.relation.sum(axis=0)) == sorted(chain.from_iterable(OFFICIAL_SIZES.values()))
    assert np.array_equal(train.relation, test.relation)
    for path, fine, coarse in zip(train.images[::97], train.fine[::97], train.coarse[::97], strict=True):
        wnid = train.fine_names[fine]
        assert str(path).startswith(str(root / "train" / wnid))
        assert train.coarse_names[coarse] == category_of[wnid]
    assert test.images[0] == str(root / "val" / test.fine_names[0] / "ILSVRC2012_val_00000000.JPEG")


def test_splits(taxonomy, write_imagenet) -> None:
    folder, category_of = taxonomy
    root = write_imagenet(list(category_of))
    parts = {split: tiered_imagenet(root, folder, split=split) for split in ("train", "train90", "val", "test", "all")}
    assert [len(data) // 608 for data in parts.values()] == [11, 9, 2, 1, 12]
    assert {*parts["train90"].images, *parts["val"].images} == set(parts["train"].images)
    assert {path[-7:-5] for path in parts["val"].images} == {"09", "10"}
    assert {*parts["train"].images, *parts["test"].images} == set(parts["all"].images)


def test_refused(taxonomy, tmp_path: Path, write_imagenet) -> None:
    folder, category_of = taxonomy
    with pytest.raises(FileNotFoundError, match=r"imagenet_root: .* lacks the folders of 608 of 608 classes"):
        tiered_imagenet(tmp_path, folder)
    root = write_imagenet(list(category_of))
    empty = root / "val" / next(iter(category_of))
    for path in empty.iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError, match=rf"{empty.name}' holds no image"):
        tiered_imagenet(root, folder, split="test")
    lines = (folder / "val.csv").read_text().splitlines()
    (folder / "val.csv").write_text("\n".join(lines[:-1]))
    with pytest.raises(ValueError, match=r"val.csv' has 96 classes in 6 categories, the official file has 97 in 6"):
        tiered_imagenet(root, folder)
    (folder / "val.csv").write_text("\n".join([*lines[:-1], "n02504458"]))
    with pytest.raises(ValueError, match=r"the line 'n02504458'; each must be 'class,category'"):
        tiered_imagenet(root, folder)
    (folder / "test.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks 'test.csv'"):
        tiered_imagenet(root, folder)
