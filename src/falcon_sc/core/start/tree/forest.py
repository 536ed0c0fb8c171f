"""The splits inside all coarse classes: one row a split, and cuts through them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.core.start.tree.class_tree import leaves_under

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from falcon_sc.core.start.tree.splits import Splits


@dataclass(frozen=True)
class Tree:
    """A forest: one binary tree for each coarse class; S splits, L leaves.

    Nodes 0..L-1 are the leaves, node L + j is split j; children come before parents.

    Parameters
    ----------
    left, right
        (S,) children of each split, the larger side left.
    coarse
        (S,) coarse class of each split.
    opens_at
        (S,) number of fine classes of its coarse class from which on the split is made: 2, 3, ..., each once.
    n_left, n_right
        (S,) samples on either side.
    leaf_coarse
        (L,) coarse class of each leaf.
    class_of_leaf
        (L,) fine class that each leaf belongs to.
    comes_back, agreement, support, markers, depth, batch
        (S,) what speaks for each split: ``core.start.tree.evidence``.
    supported
        (S,) whether that is enough.
    gain
        (S,) what the fine class gains that the split adds to those of its coarse class, by which a total is shared out; NaN
        where the number was given.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    coarse: NDArray[np.int64]
    opens_at: NDArray[np.int64]
    n_left: NDArray[np.int64]
    n_right: NDArray[np.int64]
    leaf_coarse: NDArray[np.int64]
    class_of_leaf: NDArray[np.int64]
    comes_back: NDArray[np.float64]
    agreement: NDArray[np.float64]
    support: NDArray[np.float64]
    markers: NDArray[np.float64]
    depth: NDArray[np.float64]
    batch: NDArray[np.float64]
    supported: NDArray[np.bool_]
    gain: NDArray[np.float64]

    @classmethod
    def of(cls, found: Sequence[Splits], offsets: Sequence[int], gains: Sequence[NDArray[np.float64] | None]) -> Tree:
        """Side by side, in the order of the coarse classes.

        `offsets`: the first fine class of each; `gains`: of its second, third, ... fine class, as far as they are known.
        """
        n_leaves = [len(own.tree.classes) for own in found]
        total, first_leaf, first_split = sum(n_leaves), 0, 0
        columns: dict[str, list[NDArray[Any]]] = {field.name: [] for field in fields(cls)}
        for c, (own_splits, n) in enumerate(zip(found, n_leaves, strict=True)):
            tree, about, opens_at = own_splits.tree, own_splits.evidence, np.arange(n, 1, -1)
            joins = np.where(tree.joins < n, tree.joins + first_leaf, tree.joins - n + total + first_split)
            sizes = (leaves_under(tree.joins, n) @ np.bincount(tree.leaves, minlength=n))[tree.joins]  # of both sides
            larger = sizes[:, 1] > sizes[:, 0]
            joins[larger], sizes[larger] = joins[larger, ::-1], sizes[larger, ::-1]
            own = {
                "left": joins[:, 0],
                "right": joins[:, 1],
                "coarse": np.full(n - 1, c),
                "opens_at": opens_at,
                "n_left": sizes[:, 0],
                "n_right": sizes[:, 1],
                "leaf_coarse": np.full(n, c),
                "class_of_leaf": offsets[c] + tree.classes,
                **vars(about),
                "supported": about.supported,
                "gain": _gain_of(gains[c], opens_at),
            }
            for name, column in own.items():
                columns[name].append(column)
            first_leaf, first_split = first_leaf + n, first_split + n - 1
        return cls(**{name: np.concatenate(own) for name, own in columns.items()})

    @property
    def joins(self) -> NDArray[np.int64]:
        """Both children of each split, (S, 2)."""
        return np.stack([self.left, self.right], axis=1)

    @property
    def n_leaves(self) -> int:
        """L."""
        return len(self.leaf_coarse)

    def at(self, n_per_class: NDArray[np.int64]) -> NDArray[np.int64]:
        """Groups of the leaves (L,), 0.., where coarse class c has ``n_per_class[c]`` fine classes."""
        return self.without(self.opens_at > n_per_class[self.coarse])

    def without(self, closed: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Groups of the leaves (L,), 0.., where the splits that are `closed` (S,) are not made; a closed one has no open child."""
        group = np.arange(self.n_leaves + len(self.left))
        for split in np.flatnonzero(closed)[::-1]:  # parents first
            node = self.n_leaves + split
            group[[self.left[split], self.right[split]]] = group[node]
        return np.asarray(np.unique(group[: self.n_leaves], return_inverse=True)[1], dtype=np.int64)

    def reordered(self, order: NDArray[np.int64], class_of_leaf: NDArray[np.int64]) -> Tree:
        """The same with its leaves in another order, ``order[i]`` being the leaf that comes to be i, and their fine classes then."""
        place = np.concatenate([np.argsort(order), np.arange(len(order), len(order) + len(self.left))])
        return replace(
            self,
            left=place[self.left],
            right=place[self.right],
            leaf_coarse=self.leaf_coarse[order],
            class_of_leaf=class_of_leaf,
        )

    def with_class(self, c: int, own: Tree) -> Tree:
        """The same with another tree in coarse class c, that of `own`, which holds nothing else; gains there are not known.

        Leaves, splits and fine classes are in the order of the coarse classes.
        """
        splits, leaves = (slice(*np.searchsorted(of, [c, c + 1]).tolist()) for of in (self.coarse, self.leaf_coarse))
        more_leaves, more_splits = (
            own.n_leaves - (leaves.stop - leaves.start),
            len(own.left) - (splits.stop - splits.start),
        )
        total = self.n_leaves + more_leaves
        n_classes = len(np.unique(own.class_of_leaf))
        first_class = len(np.unique(self.class_of_leaf[: leaves.start]))
        more_classes = n_classes - len(np.unique(self.class_of_leaf[leaves]))
        nodes = np.concatenate(
            [_shifted(self.n_leaves, leaves, more_leaves), total + _shifted(len(self.left), splits, more_splits)]
        )
        own_nodes = np.concatenate(
            [leaves.start + np.arange(own.n_leaves), total + splits.start + np.arange(len(own.left))]
        )
        columns: dict[str, NDArray[Any]] = {}
        for field in fields(self):
            before, middle = (getattr(tree, field.name) for tree in (self, own))
            at = splits
            if field.name in ("left", "right"):
                before, middle = nodes[before], own_nodes[middle]
            elif field.name in ("leaf_coarse", "class_of_leaf"):
                at = leaves
            after = before[at.stop :]
            if field.name == "class_of_leaf":
                middle, after = middle + first_class, after + more_classes
            elif field.name in ("coarse", "leaf_coarse"):
                middle = np.full_like(middle, c)
            columns[field.name] = np.concatenate([before[: at.start], middle, after])
        return Tree(**columns)

    def under(self) -> NDArray[np.bool_]:
        """Which leaves are under each node: (L + S, L)."""
        return leaves_under(self.joins, self.n_leaves)

    def made(self, class_of_leaf: NDArray[np.int64] | None = None) -> NDArray[np.bool_]:
        """Which splits are made between fine classes (S,): those whose sides have no class in common."""
        classes = self.class_of_leaf if class_of_leaf is None else class_of_leaf
        under = self.under()
        return np.array(
            [
                not np.intersect1d(classes[under[left]], classes[under[right]]).size
                for left, right in zip(self.left, self.right, strict=True)
            ],
            dtype=bool,
        )

    def path_support(self, class_of_leaf: NDArray[np.int64]) -> NDArray[np.float64]:
        """Support of the weakest split that was made above each leaf (L,), at most 1, also where there is none."""
        under, weakest = self.under(), np.ones(self.n_leaves)
        for split in np.flatnonzero(self.made(class_of_leaf)):
            leaves = under[self.n_leaves + split]
            weakest[leaves] = np.minimum(weakest[leaves], self.support[split])
        return weakest


def _shifted(n: int, replaced: slice, more: int) -> NDArray[np.int64]:
    """Where each of n places comes to be when those that are `replaced` become more."""
    places = np.arange(n)
    places[replaced.stop :] += more
    return places


def _gain_of(gains: NDArray[np.float64] | None, opens_at: NDArray[np.int64]) -> NDArray[np.float64]:
    """Gain of each split; 0 for what is deeper than the gains go, which then comes last."""
    if gains is None:
        return np.full(len(opens_at), np.nan)
    return np.where(opens_at - 2 < len(gains), np.append(gains, 0.0)[np.minimum(opens_at - 2, len(gains))], 0.0)
