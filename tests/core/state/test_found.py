from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from falcon_sc.core.state.decisions import Decision, FineClasses
from falcon_sc.core.state.found import Found


def _classes() -> FineClasses:
    """Four leaves in one coarse class, two and two in a fine class."""
    relation = np.ones((4, 1), dtype=np.uint8)
    return FineClasses.of_leaves(["a", "b"], relation, np.array([0, 0, 1, 1]))


class _Tree:
    """All of a tree that the confidence looks at."""

    class_of_leaf = np.array([0, 0, 1, 1])

    def __init__(self, support: float = 1.0) -> None:
        self._support = support

    def path_support(self, class_of_leaf: np.ndarray) -> np.ndarray:
        return np.full(len(class_of_leaf), self._support)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_confidence_by_a_slow_count(seed: int) -> None:
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.ones(4), 20).astype(np.float32)
    labels, agreement = proba.argmax(axis=1), rng.random(20).astype(np.float32)
    members = rng.integers(3, size=4)
    names = {f"{name}.{i}": f"c{members[2 * (name == 'b') + i]}" for name in "ab" for i in range(2)}
    classes = _classes().after([Decision("cut", names)])
    seen = Found(proba, labels, agreement, _Tree()).through(classes)
    for row in range(20):
        own = labels[row]
        at_fit = set(np.flatnonzero(_Tree.class_of_leaf == _Tree.class_of_leaf[own]))
        now = set(np.flatnonzero(members == members[own]))
        p = {leaf: float(proba[row, leaf]) for leaf in range(4)}
        p_fit = sum(p[leaf] for leaf in at_fit)
        c = float(agreement[row])
        expected = c * sum(p[leaf] for leaf in at_fit & now) / p_fit
        expected += (1 - c) * sum(p[leaf] for leaf in now - at_fit) / (1 - p_fit)
        assert seen.confidence[row] == pytest.approx(expected, abs=1e-5)
        assert classes.names[seen.labels[row]] == f"c{members[own]}"
    np.testing.assert_allclose(seen.proba.sum(axis=1), 1, atol=1e-5)


def test_at_the_fit_it_is_the_agreement_and_up_to_a_half_less_without_support() -> None:
    proba = np.array([[0.5, 0.2, 0.2, 0.1], [0.1, 0.1, 0.2, 0.6]], dtype=np.float32)
    agreement = np.array([0.9, 0.4], dtype=np.float32)
    for support, factor in ((1.0, 1.0), (0.0, 0.5)):
        seen = Found(proba, proba.argmax(axis=1), agreement, _Tree(support)).through(_classes())
        np.testing.assert_allclose(seen.confidence, factor * agreement, rtol=1e-6)
        np.testing.assert_array_equal(seen.labels, [0, 1])


def test_one_class_of_all_is_certain() -> None:
    proba = np.array([[0.5, 0.2, 0.2, 0.1]], dtype=np.float32)
    everything = _classes().after([Decision("cut", dict.fromkeys(["a.0", "a.1", "b.0", "b.1"], "all"))])
    seen = Found(proba, np.array([0]), np.array([0.3], dtype=np.float32), _Tree()).through(everything)
    assert seen.confidence == pytest.approx(1)


def test_samples_without_a_label_have_no_confidence() -> None:
    proba = np.array([[0.5, 0.2, 0.2, 0.1]] * 2, dtype=np.float32)
    agreement = np.array([0.3, np.nan], dtype=np.float32)
    seen = Found(proba, np.array([0, -1]), agreement, _Tree()).through(_classes())
    assert seen.labels.tolist() == [0, -1]
    assert np.isnan(seen.confidence).tolist() == [False, True]


def test_without_clusterings_it_is_the_probability() -> None:
    proba = np.array([[0.5, 0.2, 0.2, 0.1]], dtype=np.float32)
    seen = Found(proba, np.array([0]), None, None).through(FineClasses.of("abcd", np.ones((4, 1), dtype=np.uint8)))
    assert seen.confidence == pytest.approx(0.5)


def test_a_sparse_matrix_says_the_same_bit_for_bit(rng: np.random.Generator) -> None:
    proba = rng.dirichlet(np.ones(4), 50).astype(np.float32)
    proba[::3, :2] = 0
    labels, agreement = proba.argmax(axis=1), rng.random(50).astype(np.float32)
    for classes in (_classes(), _classes().after([Decision("cut", {"a.0": "b", "a.1": "a", "b.0": "b", "b.1": "b"})])):
        dense = Found(proba, labels, agreement, _Tree()).through(classes)
        found = Found(sparse.csr_matrix(proba), labels, agreement, _Tree()).through(classes)
        for own, expected in zip(found, dense, strict=True):
            np.testing.assert_array_equal(own, expected)
