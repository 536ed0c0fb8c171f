"""The class hierarchy of ImageNet in the files of the BREEDS benchmark."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from falcon_sc._checks import listed

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

ROOT = "n00001740"  # entity
FILES = ("dataset_class_info.json", "class_hierarchy.txt", "node_names.txt")


class Hierarchy:
    """Nodes above the classes of ImageNet. A node may have several parents.

    Parameters
    ----------
    folder
        Holds ``dataset_class_info.json``, a list of [number, wnid, name] of the classes; ``class_hierarchy.txt``, one
        "parent child" a line; ``node_names.txt``, one "wnid<tab>name" a line.
    """

    def __init__(self, folder: str | Path) -> None:
        folder = Path(folder).expanduser()
        if missing := [name for name in FILES if not (folder / name).is_file()]:
            msg = (
                f"hierarchy_root={str(folder)!r} lacks {listed(missing)}: give the folder "
                "imagenet_class_hierarchy/modified of the public BREEDS-Benchmarks files."
            )
            raise FileNotFoundError(msg)
        classes, edges, names = ((folder / name).read_text(encoding="utf-8") for name in FILES)
        leaf_names = {wnid: name for _, wnid, name in json.loads(classes)}
        self.leaves: AbstractSet[str] = leaf_names.keys()
        self.names = dict(line.split("\t", 1) for line in names.splitlines() if line.strip()) | leaf_names
        self._children: dict[str, list[str]] = {}
        self._parents: dict[str, list[str]] = {}
        for line in edges.splitlines():
            if line.strip():
                parent, child = line.split()
                self._children.setdefault(parent, []).append(child)
                self._parents.setdefault(child, []).append(parent)
        self.leaves_below = cache(self._leaves_below)
        self._depth = cache(self._longest_path)

    def _leaves_below(self, node: str) -> frozenset[str]:
        """Classes that a node stands for: itself, if it is one, and all first classes on the ways down."""
        reached = {node} & self.leaves
        for child in self._children.get(node, []):
            reached |= {child} if child in self.leaves else self.leaves_below(child)
        return frozenset(reached)

    def _longest_path(self, node: str) -> int:
        """Edges of the longest way down from the root; far below 0 where there is none."""
        if node == ROOT:
            return 0
        return 1 + max((self._depth(parent) for parent in self._parents.get(node, [])), default=-(10**6))

    def _descendants(self, node: str) -> set[str]:
        reached, todo = {node}, [node]
        while todo:
            for child in self._children.get(todo.pop(), []):
                if child not in reached:
                    reached.add(child)
                    todo.append(child)
        return reached

    def at_level(self, level: int, ancestor: str) -> list[str]:
        """Nodes of this depth below an ancestor that stand for at least one class, in the order of their ids."""
        return sorted(
            node for node in self._descendants(ancestor) if self._depth(node) == level and self.leaves_below(node)
        )
