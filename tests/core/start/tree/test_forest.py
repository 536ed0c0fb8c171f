from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest

from falcon_sc.core.start.coarse_classes import CoarseClasses
from falcon_sc.core.start.consensus_start import consensus_start
from falcon_sc.core.start.input import StartInput
from falcon_sc.core.start.one_class import divide
from falcon_sc.core.start.tree.forest import Tree

if TYPE_CHECKING:
    from falcon_sc.core.start.start import Start


def _planted(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Counts in three coarse classes with 3, 1 and 2 fine classes of 60 cells each."""
    rng = np.random.default_rng(seed)
    fine = np.repeat(np.arange(6), 60)
    fold = np.exp(rng.normal(0, 1.5, (6, 100)) * (rng.random((6, 100)) < 0.15))
    rate = rng.gamma(1, 1.5, 100) * fold[fine] * np.exp(rng.normal(0, 0.3, (len(fine), 1)))
    order = rng.permutation(len(fine))
    return rng.poisson(rate).astype(np.float32)[order], np.repeat([0, 1, 2], [180, 60, 120])[order]


@pytest.fixture(scope="module")
def start() -> Start:
    counts, coarse = _planted()
    return consensus_start(StartInput(counts, "counts"), coarse, 6, rng=0, n_jobs=1, leaves_per_class=2)


def test_with_a_tree_the_labels_are_the_same(start: Start) -> None:
    counts, coarse = _planted()
    without = consensus_start(StartInput(counts, "counts"), coarse, 6, rng=0, n_jobs=1)
    assert without.tree is without.leaves is None
    np.testing.assert_array_equal(start.labels, without.labels)
    np.testing.assert_array_equal(start.agreement, without.agreement)


def test_it_contains_the_fine_classes_and_goes_deeper(start: Start) -> None:
    tree, (_, coarse) = start.tree, _planted()
    assert tree.n_leaves >= 2 * len(start.relation)
    np.testing.assert_array_equal(tree.class_of_leaf[start.leaves], start.labels)
    np.testing.assert_array_equal(tree.leaf_coarse[start.leaves], coarse)
    n_per_class = start.relation.sum(axis=0, dtype=np.int64)
    at = tree.at(n_per_class)
    assert len(set(zip(at.tolist(), tree.class_of_leaf.tolist(), strict=True))) == len(start.relation)
    made = tree.made()
    assert made.sum() == 3
    np.testing.assert_array_equal(tree.opens_at <= n_per_class[tree.coarse], made)
    assert tree.supported[made].all()
    np.testing.assert_array_equal(tree.path_support(tree.class_of_leaf), 1)


def test_sizes_and_order(start: Start) -> None:
    tree = start.tree
    under = tree.under()
    sizes = np.bincount(start.leaves, minlength=tree.n_leaves)
    for side, n in ((tree.left, tree.n_left), (tree.right, tree.n_right)):
        np.testing.assert_array_equal(under[side] @ sizes, n)
    assert (tree.n_left >= tree.n_right).all()
    for c in range(3):
        n_splits = (tree.coarse == c).sum()
        assert sorted(tree.opens_at[tree.coarse == c]) == list(range(2, n_splits + 2))
    opens = {tree.n_leaves + j: tree.opens_at[j] for j in range(len(tree.left))}
    for j, nodes in enumerate(tree.joins):
        assert all(opens[node] > tree.opens_at[j] for node in nodes.tolist() if node in opens)


def test_cuts_are_nested(start: Start) -> None:
    tree = start.tree
    most = np.bincount(tree.leaf_coarse)
    before = tree.at(np.ones(3, dtype=np.int64))
    np.testing.assert_array_equal(before, tree.leaf_coarse)
    for k in range(2, most.max() + 1):
        now = tree.at(np.minimum(k, most))
        assert len(np.unique(now)) == np.minimum(k, most).sum()
        assert len(set(zip(now.tolist(), before.tolist(), strict=True))) == len(np.unique(now))  # each in one of before
        before = now


def test_another_order_of_the_leaves_is_the_same_tree(start: Start) -> None:
    tree = start.tree
    order = np.random.default_rng(0).permutation(tree.n_leaves)
    other = tree.reordered(order, tree.class_of_leaf[order])
    np.testing.assert_array_equal(other.under()[tree.n_leaves :], tree.under()[tree.n_leaves :, order])
    np.testing.assert_array_equal(other.made(), tree.made())


def test_gains_of_fixed_classes_are_not_known() -> None:
    counts, coarse = _planted()
    fixed = np.array([3, 0, 0])
    start = consensus_start(StartInput(counts, "counts"), coarse, 6, fixed=fixed, rng=0, n_jobs=1, leaves_per_class=2)
    np.testing.assert_array_equal(np.isnan(start.tree.gain), start.tree.coarse == 0)


def test_a_weak_split_weakens_what_is_below_it(start: Start) -> None:
    tree = start.tree
    top = np.flatnonzero((tree.opens_at == 2) & (tree.coarse == 0))
    own = tree.support.copy()
    own[top] = 0.4
    weaker = dataclasses.replace(tree, support=own)
    support = weaker.path_support(tree.class_of_leaf)
    np.testing.assert_array_equal(support[tree.leaf_coarse == 0], 0.4)
    np.testing.assert_array_equal(support[tree.leaf_coarse != 0], 1)


@pytest.mark.parametrize(("c", "n_leaves"), [(0, 5), (1, 5), (2, 4)])
def test_another_tree_in_one_coarse_class_leaves_the_others(start: Start, c: int, n_leaves: int) -> None:
    counts, coarse = _planted()
    classes, k = CoarseClasses(StartInput(counts, "counts"), coarse), 4
    options = {"k": k, "n_leaves": n_leaves, "n_genes": 100, "max_cells": 500, "n_repeats": 1}
    division = divide(**classes.given(c), **options, rng=np.random.default_rng(0))
    own, before = Tree.of([division.splits], [0], [None]), start.tree
    tree = before.with_class(c, own)
    under, was_under = tree.under(), before.under()
    elsewhere, was_elsewhere = tree.leaf_coarse != c, before.leaf_coarse != c
    assert own.n_leaves == (~elsewhere).sum() != (~was_elsewhere).sum()
    for side in ("left", "right"):
        nodes, were = getattr(tree, side), getattr(before, side)[before.coarse != c]
        np.testing.assert_array_equal(under[nodes[tree.coarse != c]][:, elsewhere], was_under[were][:, was_elsewhere])
        assert not under[nodes[tree.coarse != c]][:, ~elsewhere].any()
        np.testing.assert_array_equal(under[nodes[tree.coarse == c]][:, ~elsewhere], own.under()[getattr(own, side)])
        assert not under[nodes[tree.coarse == c]][:, elsewhere].any()
    n_classes = start.relation.sum(axis=0, dtype=np.int64)
    n_classes[c] = k
    np.testing.assert_array_equal(
        np.bincount(tree.leaf_coarse[np.unique(tree.class_of_leaf, return_index=True)[1]]), n_classes
    )
    cut = tree.at(n_classes)
    assert len(set(zip(cut.tolist(), tree.class_of_leaf.tolist(), strict=True))) == n_classes.sum()
    np.testing.assert_array_equal(tree.support[tree.coarse == c], own.support)
    np.testing.assert_array_equal(tree.support[tree.coarse != c], before.support[before.coarse != c])
    assert np.isnan(tree.gain[tree.coarse == c]).all()
