"""The BREEDS benchmarks, from a hierarchy in the official format."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from falcon_sc.vision.datasets import breeds
from falcon_sc.vision.datasets._hierarchy import ROOT, Hierarchy

from .official_imagenet import TABLE_1, Written

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path / "modified")


@pytest.mark.parametrize("name", TABLE_1)
def test_classes_of_table_1(name: str, written: Written, tmp_path, write_imagenet: Callable[[Sequence[str]], Path]):
    root = write_imagenet(written.classes)
    data = breeds(name, root, tmp_path / "modified", split="all")
    n_coarse, n_fine = TABLE_1[name]
    assert (len(data.coarse_names), len(data.fine_names), len(data)) == (n_coarse, n_fine, 12 * n_fine)
    assert data.relation.sum(axis=0).tolist() == [n_fine // n_coarse] * n_coarse

    # superclasses by id, and the benchmark's draw from the sorted classes below each
    rng = np.random.RandomState(2)
    assert list(data.coarse_names) == [f"name of {node}" for node in sorted(written.superclasses[name])]
    for coarse, node in enumerate(sorted(written.superclasses[name])):
        drawn = rng.choice(sorted(written.classes_below(node)), n_fine // n_coarse, replace=False)
        assert {path.split("/")[-2] for path in data.images[data.coarse == coarse]} == set(drawn)


def test_names_and_splits(written: Written, tmp_path: Path, write_imagenet) -> None:
    root = write_imagenet(written.classes)
    parts = {
        split: breeds("living17", root, tmp_path / "modified", split=split)
        for split in ("train", "train90", "val", "test")
    }
    assert [len(data) // 68 for data in parts.values()] == [11, 9, 2, 1]
    for data in parts.values():
        assert data.fine_names == parts["train"].fine_names
        assert np.array_equal(data.relation, parts["train"].relation)
    assert {*parts["train90"].images, *parts["val"].images} == set(parts["train"].images)
    assert all("/val/" in path for path in parts["test"].images)
    number = {wnid: i for i, wnid in enumerate(written.classes)}
    drawn = [path.split("/")[-2] for path in parts["test"].images]
    halves = [number[wnid] // 2 for wnid in drawn]
    for wnid, name, half in zip(drawn, parts["test"].fine_names, halves, strict=True):
        assert name == (f"class {half}" if halves.count(half) == 1 else f"class {half} ({wnid})")


def test_a_class_above_a_class_stands_for_itself(tmp_path: Path) -> None:
    (tmp_path / "dataset_class_info.json").write_text('[[0, "a", "A"], [1, "b", "B"], [2, "c", "C"]]')
    (tmp_path / "class_hierarchy.txt").write_text(f"{ROOT} x\nx a\na b\nx c\n{ROOT} c\n")
    (tmp_path / "node_names.txt").write_text(f"{ROOT}\tentity\nx\tX\n")
    hierarchy = Hierarchy(tmp_path)
    assert hierarchy.leaves_below("x") == {"a", "c"}  # b is reached only through a
    assert hierarchy.leaves_below("a") == {"a", "b"}
    assert [hierarchy.at_level(level, ROOT) for level in range(4)] == [[ROOT], ["x"], ["a", "c"], ["b"]]


def test_refused(written: Written, tmp_path: Path, write_imagenet) -> None:
    modified = tmp_path / "modified"
    with pytest.raises(ValueError, match=r"name must be one of 'living17', .* found 'living16'"):
        breeds("living16", tmp_path, modified)
    with pytest.raises(ValueError, match="split must be one of"):
        breeds("living17", tmp_path, modified, split="source")
    with pytest.raises(
        FileNotFoundError, match=r"lacks 'dataset_class_info.json', .* imagenet_class_hierarchy/modified"
    ):
        breeds("living17", tmp_path, tmp_path)
    with pytest.raises(FileNotFoundError, match=r"train' lacks the folders of 68 of 68 classes: .* and \d+ more"):
        breeds("living17", tmp_path, modified)
    one = written.superclasses["living17"][3]
    lines = [f"{parent} {child}" for parent, child in written.edges if parent != one]
    (modified / "class_hierarchy.txt").write_text("\n".join(lines))
    with pytest.raises(ValueError, match=r"gives 16 superclasses for living17, the benchmark has 17"):
        breeds("living17", tmp_path, modified)
