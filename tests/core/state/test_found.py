from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from falcon_sc.core.start.tree.forest import Tree
from falcon_sc.core.state.decisions import Decision, FineClasses
from falcon_sc.core.state.found import Found


def _classes() -> FineClasses:
    """Four leaves in one coarse class, two and two in a fine class."""
    relation = np.ones((4, 1), dtype=np.uint8)
    return FineClasses.of_leaves(["a", "b"], relation, np.array([0, 0, 1, 1]))


def _tree(support: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Tree:
    """A tree through them: a, of 7 and 3 samples, b, of 5 and 5, and the whole. Support of 1 is just not enough."""
    nothing = np.full(3, np.nan)
    return Tree(
        left=np.array([0, 2, 4]), right=np.array([1, 3, 5]), coarse=np.zeros(3, dtype=np.int64),
        opens_at=np.array([4, 3, 2]), n_left=np.array([7, 5, 10]), n_right=np.array([3, 5, 10]),
        leaf_coarse=np.zeros(4, dtype=np.int64), class_of_leaf=np.array([0, 0, 1, 1]), comes_back=nothing, agreement=nothing,
        support=np.array(support), markers=nothing, depth=nothing, batch=nothing, supported=np.array(support) > 1, gain=nothing,
    )  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_confidence_by_a_slow_count(seed: int) -> None:
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.ones(4), 20).astype(np.float32)
    labels, agreement = proba.argmax(axis=1), rng.random(20).astype(np.float32)
    members = rng.integers(3, size=4)
    names = {f"{name}.{i}": f"c{members[2 * (name == 'b') + i]}" for name in "ab" for i in range(2)}
    classes = _classes().after([Decision("cut", names)])
    seen = Found(proba, labels, agreement, _tree()).through(classes)
    for row in range(20):
        own = labels[row]
        at_fit = set(np.flatnonzero(_tree().class_of_leaf == _tree().class_of_leaf[own]))
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
        seen = Found(proba, proba.argmax(axis=1), agreement, _tree((1.0, 1.0, support))).through(_classes())
        np.testing.assert_allclose(seen.confidence, factor * agreement, rtol=1e-6)
        np.testing.assert_array_equal(seen.labels, [0, 1])


@pytest.mark.parametrize(
    ("support", "members", "worth"),
    [
        (
            (1.2, 1.2, 1.0),
            [0, 0, 1, 1],
            [1.0, 0.5, 1.0, 0.5],
        ),  # each class is two: of equal parts the left one is the first
        ((1.0, 1.2, 1.2), [0, 0, 1, 1], [1.0, 1.0, 1.0, 0.5]),
        ((1.2, 1.2, 1.2), [0, 1, 2, 3], [1.0, 1.0, 1.0, 1.0]),  # all splits are made
        ((1.2, 1.2, 1.0), [0, 0, 0, 0], [1.0, 1.0, 1.0, 1.0]),  # the uppermost one says nothing
        ((1.2, 1.2, 1.2), [0, 0, 0, 0], [1.0, 1.0, 0.5, 0.5]),
        ((1.0, 1.0, 1.2), [0, 1, 1, 1], [1.0, 0.5, 1.0, 1.0]),  # merged across it: 3 there and 10 here
        ((1.2, 1.0, 0.6), [0, 0, 1, 1], [0.8, 0.4, 0.8, 0.8]),  # above and below
    ],
)
def test_half_on_the_smaller_side_of_a_supported_split_that_is_not_made(
    support: tuple[float, float, float], members: list[int], worth: list[float]
) -> None:
    """At the fit it was in these classes: what is left of the agreement is what the evidence leaves."""
    tree = replace(_tree(support), class_of_leaf=np.array(members))
    classes = FineClasses.of_leaves(range(max(members) + 1), np.ones((4, 1), dtype=np.uint8), np.array(members))
    agreement = np.full(4, 0.8, dtype=np.float32)
    seen = Found(np.eye(4, dtype=np.float32), np.arange(4), agreement, tree).through(classes)
    np.testing.assert_allclose(seen.confidence, 0.8 * np.array(worth), rtol=1e-6)


def test_one_class_of_all_is_certain() -> None:
    proba = np.array([[0.5, 0.2, 0.2, 0.1]], dtype=np.float32)
    everything = _classes().after([Decision("cut", dict.fromkeys(["a.0", "a.1", "b.0", "b.1"], "all"))])
    seen = Found(proba, np.array([0]), np.array([0.3], dtype=np.float32), _tree()).through(everything)
    assert seen.confidence == pytest.approx(1)


def test_samples_without_a_label_have_no_confidence() -> None:
    proba = np.array([[0.5, 0.2, 0.2, 0.1]] * 2, dtype=np.float32)
    agreement = np.array([0.3, np.nan], dtype=np.float32)
    seen = Found(proba, np.array([0, -1]), agreement, _tree()).through(_classes())
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
        dense = Found(proba, labels, agreement, _tree()).through(classes)
        found = Found(sparse.csr_matrix(proba), labels, agreement, _tree()).through(classes)
        for own, expected in zip(found, dense, strict=True):
            np.testing.assert_array_equal(own, expected)


def test_a_class_that_somebody_merged_is_not_halved_for_it() -> None:
    agreement = np.full(4, 0.8, dtype=np.float32)
    merged = _classes().after([Decision("merge", {"a": "all", "b": "all"})])
    seen = Found(np.eye(4, dtype=np.float32), np.arange(4), agreement, _tree((1.0, 1.0, 1.2))).through(merged)
    np.testing.assert_allclose(seen.confidence, 0.8 * np.ones(4), rtol=1e-6)
