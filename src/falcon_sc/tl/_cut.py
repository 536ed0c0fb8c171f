"""Which classes a cut through the tree of splits makes, and what they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import check_int
from falcon_sc.core.data.budget import fixed_by_column
from falcon_sc.core.data.labels import whole_number
from falcon_sc.core.start.allocation import largest_gains
from falcon_sc.core.start.tree.support import supported_or_above
from falcon_sc.core.state.decisions import Decision, FineClasses, from_table
from falcon_sc.tl._tree import read_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from falcon_sc.core.start.tree.forest import Tree
    from falcon_sc.tl._coarse_names import CoarseNames


def cutting(
    about: Mapping[str, Any], classes: FineClasses, n_fine: object, fixed: Any, *, names: CoarseNames, key: str
) -> Decision:
    """The decision to have these numbers of classes: see :func:`falcon_sc.tl.cut`."""
    tree = read_tree(about, key)
    now = classes.relation.sum(axis=0, dtype=np.int64)
    given = _fixed(fixed, names, np.bincount(tree.leaf_coarse, minlength=len(now)))
    if isinstance(n_fine, str):
        if n_fine != "auto":
            msg = f"n_fine must be an int, 'auto' or None, found {n_fine!r}."
            raise TypeError(msg)
        groups, changed = (
            tree.without(~supported_or_above(tree.joins, tree.n_leaves, tree.supported)),
            np.ones(len(now), dtype=bool),
        )
        for c in np.flatnonzero(given):
            own = tree.leaf_coarse == c
            groups[own] = (groups.max() + 1 + tree.at(np.where(np.arange(len(now)) == c, given, now)))[own]
    else:
        numbers = np.where(given > 0, given, now) if n_fine is None else _shared_out(tree, n_fine, given, now)
        if n_fine is None and not given.any():
            msg = "give n_fine, the total number of fine classes, or fixed, the numbers of some coarse classes."
            raise ValueError(msg)
        groups, changed = tree.at(numbers), numbers != now
    decisions = from_table(about["decisions"]) if "decisions" in about else ()
    return Decision("cut", _named(tree, groups, changed, classes=classes, decisions=decisions, coarse=names.in_the_run))


def _fixed(fixed: Any, names: CoarseNames, most: np.ndarray) -> np.ndarray:
    """The numbers that are given, K_C; 0 where none is."""
    numbers = np.zeros(len(names.now), dtype=np.int64)
    if fixed is None:
        return numbers

    def find(keys: Iterable[Any], _: Sequence[Any]) -> list[int]:
        return names.columns(keys, "fixed")

    for place, (name, number) in fixed_by_column(fixed, names.now, find).items():
        numbers[place] = check_int(number, f"fixed[{name!r}]")
        if numbers[place] > most[place]:
            msg = (
                f"fixed[{name!r}]={number}: the tree has {most[place]} leaves there. For more there is falcon_sc.tl.refine, "
                "which looks deeper into this coarse class and leaves the others as they are."
            )
            raise ValueError(msg)
    return numbers


def _shared_out(tree: Tree, n_fine: object, given: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Numbers of all coarse classes, whose sum is `n_fine`: classes that are not given share the rest, if their gains are known."""
    total = whole_number(n_fine)
    if total is None:
        msg = (
            f"n_fine must be an int, 'auto' or None, found {n_fine!r}: numbers of single coarse classes go into fixed."
        )
        raise TypeError(msg)
    gains = [_opened_in_order(tree, tree.gain, c) for c in range(len(now))]
    if np.isnan(tree.gain).all():  # all numbers were given, or estimated: by the evidence then
        gains = [np.minimum.accumulate(_opened_in_order(tree, tree.support, c)) for c in range(len(now))]
    is_known = np.array([not np.isnan(own).any() for own in gains])
    free = np.flatnonzero((given == 0) & is_known)
    numbers = np.where(given > 0, given, now)
    numbers[free] = 0
    rest = total - int(numbers.sum())
    most = len(free) + sum(len(gains[c]) for c in free)
    if not len(free) <= rest <= most:
        low, high = numbers.sum() + len(free), numbers.sum() + most
        possible = f"from {low} to {high}" if low < high else f"{low}"
        kept = (
            " Coarse classes whose numbers were given to discover or refine keep them: name them in fixed."
            if (~is_known).any()
            else ""
        )
        msg = f"n_fine={total}: the tree can be cut into {possible} fine classes with these numbers.{kept}"
        raise ValueError(msg)
    if len(free):
        numbers[free] = largest_gains([gains[c] for c in free], rest - len(free))
    return numbers


def _opened_in_order(tree: Tree, of_splits: np.ndarray, c: int) -> np.ndarray:
    """What the second, third, ... fine class of a coarse class have, of a value for each split."""
    own = np.flatnonzero(tree.coarse == c)
    return np.asarray(of_splits[own[np.argsort(tree.opens_at[own])]])


def _named(
    tree: Tree,
    groups: np.ndarray,
    changed: np.ndarray,
    *,
    classes: FineClasses,
    decisions: tuple[Decision, ...],
    coarse: Sequence[str],
) -> dict[str, str]:
    """The class of each leaf, by name.

    Where a coarse class is not `changed` these are the classes it has; one whose leaves once were a class is called as that was last.
    """
    assert classes.leaves is not None
    leaf_names = classes.leaves[0]
    named: dict[str, str] = {}
    sets_now = _names_so_far(classes, decisions)
    taken = {name for own, name in enumerate(classes.names) if not changed[classes.relation[own].argmax()]}
    for group in dict.fromkeys(groups.tolist()):
        leaves = np.flatnonzero(groups == group)
        parent = int(tree.leaf_coarse[leaves[0]])
        if not changed[parent]:
            named |= {leaf_names[leaf]: classes.names[classes.members[leaf]] for leaf in leaves}
            continue
        name = sets_now.get(tuple(leaves)) or _joined_name(tree, leaves, leaf_names, coarse[parent])
        while name in taken:
            name += "'"
        taken.add(name)
        named |= {leaf_names[leaf]: name for leaf in leaves}
    return named


def _names_so_far(classes: FineClasses, decisions: tuple[Decision, ...]) -> dict[tuple[int, ...], str]:
    """What each set of leaves that was a class was called last."""
    assert classes.leaves is not None
    leaf_names, relation = classes.leaves
    at_fit = [name.rpartition(".")[0] for name in leaf_names]
    steps = [Decision("cut", dict(zip(leaf_names, at_fit, strict=True))), *decisions]
    seen = FineClasses(leaf_names, relation, np.arange(len(leaf_names)), classes.leaves)
    names: dict[tuple[int, ...], str] = {}
    for decision in steps:
        if decision.kind == "refine":  # what was found there before is gone
            refined = relation[[leaf_names.index(leaf) for leaf in decision.names if leaf in leaf_names]].any(axis=0)
            names = {leaves: name for leaves, name in names.items() if not relation[leaves[0], refined].any()}
        seen = seen.after([decision])
        names |= {tuple(np.flatnonzero(seen.members == own)): name for own, name in enumerate(seen.names)}
    return names


def _joined_name(tree: Tree, leaves: np.ndarray, leaf_names: tuple[str, ...], parent: str) -> str:
    """What a class is made of: classes of the fit by their numbers, or leaves of one of them."""
    parts = []
    for own in dict.fromkeys(tree.class_of_leaf[leaves].tolist()):
        of_class = np.flatnonzero(tree.class_of_leaf == own)
        mine = [leaf for leaf in leaves if tree.class_of_leaf[leaf] == own]
        short = [leaf_names[leaf].removeprefix(f"{parent}:") for leaf in mine]
        parts += [short[0].rpartition(".")[0]] if len(mine) == len(of_class) else short
    return f"{parent}:{'+'.join(parts)}"
