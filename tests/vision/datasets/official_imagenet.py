"""Writes ImageNet, and the classes above its classes, as the official files have them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

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


# Number of classes of each category in the official files; the ids of the classes here are made up.
OFFICIAL_SIZES = {
    "train": [11, 11, 17, 24, 19, 26, 13, 17, 20, 14, 20, 11, 10, 12, 25, 28, 26, 24, 11, 12],
    "val": [17, 12, 22, 12, 12, 22],
    "test": [22, 16, 30, 27, 10, 23, 10, 22],
}


def write_taxonomy(folder: Path) -> dict[str, str]:
    """Writes the three files of tieredImageNet and returns the category of each class."""
    folder.mkdir()
    category_of: dict[str, str] = {}
    for name, sizes in OFFICIAL_SIZES.items():
        pairs: dict[str, str] = {}
        for i, size in enumerate(sizes):
            category = f"n9{len(category_of) + i:07}"
            pairs |= {f"n0{7 * (len(category_of) + len(pairs) + j):07}": category for j in range(size)}
        (folder / f"{name}.csv").write_text("".join(f"{wnid},{category}\n" for wnid, category in pairs.items()))
        category_of |= pairs
    return category_of


def write_imagenet(
    root: Path,
    classes: Sequence[str],
    *,
    n_train: int = 11,
    n_val: int = 1,
    content: Callable[[int], bytes] = lambda _: b"",
) -> Path:
    """Writes so many images of each class, `content` of the number of their class, and returns their folder."""
    for part, n in (("train", n_train), ("val", n_val)):
        for number, wnid in enumerate(classes):
            folder = root / part / wnid
            folder.mkdir(parents=True)
            for i in range(n):
                name = f"{wnid}_{i:02}.JPEG" if part == "train" else f"ILSVRC2012_val_{i:08}.JPEG"
                (folder / name).write_bytes(content(number))
    return root
