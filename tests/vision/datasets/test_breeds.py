"""The BREEDS benchmarks, from a hierarchy in the official format."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from falcon_sc.vision.datasets import breeds
from falcon_sc.vision.datasets._hierarchy import Hierarchy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

TABLE_1 = {"living17": (17, 68), "nonliving26": (26, 104), "entity30": (30, 240), "entity13": (13, 260)}
ROOT, LIVING, NONLIVING = "n00001740", "n00004258", "n00021939"


class Written:
    """A made-up hierarchy whose levels have as many large nodes as the official one.

    Below living and non-living things: 2 nodes each, then 5 + 8 nodes, of which 30 nodes hang, each with 10 classes;
    below these, 17 + 26 nodes with 5 classes each. Small nodes at each level are too small for a benchmark.
    """

    def __init__(self, folder: Path) -> None:
        self.edges: list[tuple[str, str]] = []
        self.classes: list[str] = []
        self.n_nodes = 0
        self.superclasses: dict[str, list[str]] = {name: [] for name in TABLE_1}
        level_4 = {}
        for start, n_level_3, n_level_4 in ((LIVING, 5, 12), (NONLIVING, 8, 18)):
            self.edges.append((ROOT, start))
            level_2 = [self.node(start) for _ in range(2)]
            level_3 = [self.node(level_2[i % 2]) for i in range(n_level_3)]
            level_4[start] = [self.node(level_3[i % n_level_3]) for i in range(n_level_4)]
            self.add_classes(self.node(level_2[0]), 19)  # one class short of entity13
            self.add_classes(self.node(level_3[0]), 7)  # one class short of entity30
            self.superclasses["entity13"] += level_3
            self.superclasses["entity30"] += level_4[start]
            for node in level_4[start]:
                self.add_classes(node, 10)
        for name, start in (("living17", LIVING), ("nonliving26", NONLIVING)):
            for i in range(TABLE_1[name][0]):
                node = self.node(level_4[start][i % len(level_4[start])])
                self.add_classes(node, 5)
                self.superclasses[name].append(node)
            self.add_classes(self.node(level_4[start][0]), 3)  # one class short
        # a short cut from above: the longest way counts
        self.edges.append((ROOT, self.superclasses["living17"][0]))
        self.edges.append(("n99999999", "n99999998"))  # part of WordNet without any class of ImageNet
        self.write(folder)

    def node(self, parent: str) -> str:
        # ids that fall as the tree is built: the order of ids is not the order of the lines
        self.n_nodes += 1
        node = f"n{9_000_000 - 37 * self.n_nodes:08}" if self.n_nodes % 3 else f"dummy{self.n_nodes}"
        self.edges.append((parent, node))
        return node

    def add_classes(self, parent: str, n: int) -> None:
        for _ in range(n):
            self.classes.append(f"n{99_990_000 - 11 * len(self.classes):08}")
            self.edges.append((parent, self.classes[-1]))

    def write(self, folder: Path) -> None:
        folder.mkdir()
        rows = [[i, wnid, f"class {i // 2}, synonym"] for i, wnid in enumerate(self.classes)]  # two of each name
        (folder / "dataset_class_info.json").write_text(json.dumps(rows))
        (folder / "class_hierarchy.txt").write_text("".join(f"{parent} {child}\n" for parent, child in self.edges))
        nodes = {child for _, child in self.edges} - set(self.classes)
        (folder / "node_names.txt").write_text("".join(f"{node}\tname of {node}, other\n" for node in sorted(nodes)))

    def classes_below(self, node: str) -> set[str]:
        below = {child for parent, child in self.edges if parent == node}
        return (below & set(self.classes)).union(*(self.classes_below(child) for child in below - set(self.classes)))


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
