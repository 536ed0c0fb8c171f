from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import linkage

from falcon_sc.core.start.representation.class_representations import class_representations
from falcon_sc.core.start.tree.class_tree import SMALLEST_LEAF, class_tree, divided, joined


def _tree(seed: int, k: int, n_leaves: int, max_cells: int = 3000):
    """A tree through k groups on a line, of cells in 4 clusters."""
    rng = np.random.default_rng(seed)
    true = rng.integers(4, size=300)
    X = rng.normal(size=(300, 12)) + 6 * np.eye(4, 12)[true]
    representations = class_representations(X, "embedding", rng, max_cells=max_cells)
    labels = np.argsort(np.argsort(-np.bincount(true % k), kind="stable"))[true % k]
    deeper = np.stack([true, rng.permutation(4)[true], (2 * true + rng.integers(2, size=300)) % 8]).astype(np.int16)
    return class_tree(representations, labels, deeper, n_leaves, representations.fit_cells), labels, true


def test_the_tree_contains_the_fine_classes_and_divides_them_where_clusterings_agree() -> None:
    tree, labels, true = _tree(0, 2, 4)
    np.testing.assert_array_equal(tree.classes[tree.leaves], labels)
    assert len(tree.classes) == 4
    assert len(set(zip(tree.leaves.tolist(), true.tolist(), strict=True))) == 4  # the leaves are the clusters


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 4), st.integers(1, 9), st.sampled_from([100, 3000]))
def test_every_tree_is_one(seed: int, k: int, n_leaves: int, max_cells: int) -> None:
    tree, labels, _ = _tree(seed, k, max(k, n_leaves), max_cells)
    n = len(tree.classes)
    assert k <= n <= max(k, n_leaves)
    np.testing.assert_array_equal(tree.classes[tree.leaves], labels)
    np.testing.assert_array_equal(np.unique(tree.leaves), np.arange(n))
    assert tree.joins.shape == (n - 1, 2)
    children = np.sort(tree.joins.ravel())
    np.testing.assert_array_equal(children, np.delete(np.arange(2 * n - 1), 2 * n - 2))  # each node once, but the root
    assert (tree.joins < n + np.arange(n - 1)[:, None]).all()  # children before parents
    for split in range(n - k):  # those below the fine classes
        below, todo = [], [int(node) for node in tree.joins[split]]
        while todo:
            node = todo.pop()
            todo += tree.joins[node - n].tolist() if node >= n else []
            below += [node] if node < n else []
        assert len(set(tree.classes[below].tolist())) == 1


def test_a_handful_is_no_leaf() -> None:
    labels = np.zeros(100, dtype=np.int64)
    apart = (np.arange(100) < SMALLEST_LEAF - 1).astype(np.int16)
    half = (np.arange(100) % 2).astype(np.int16)
    leaves, divisions = divided(labels, 1, np.stack([apart, half + 2 * apart]), 3)
    assert divisions == [(0, 1)]
    assert np.bincount(leaves).min() >= SMALLEST_LEAF
    assert set(leaves[: SMALLEST_LEAF - 1]) == {0}  # the handful stays with the larger part


@pytest.mark.parametrize("seed", range(5))
def test_joins_are_those_of_ward(seed: int) -> None:
    """With groups of one size each; scipy knows no sizes."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(7, 3))
    groups = [frozenset([i]) for i in range(7)]
    ours = []
    held = dict(enumerate(groups))
    for kept, gone in joined(means, np.ones(7, dtype=np.int64)):
        held[kept] |= held.pop(gone)
        ours.append(held[kept])
    theirs, nodes = [], list(groups)
    for first, second, *_ in linkage(means, "ward"):
        nodes.append(nodes[int(first)] | nodes[int(second)])
        theirs.append(nodes[-1])
    assert ours == theirs
