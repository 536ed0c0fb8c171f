from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from falcon_sc.core import relations


def all_relations(n_fine: int, n_coarse: int) -> np.ndarray:
    columns = np.array(list(itertools.product(range(n_coarse), repeat=n_fine)))
    M = np.eye(n_coarse, dtype=np.uint8)[columns]
    return M[(M.sum(axis=1) >= 1).all(axis=1)]


@settings(max_examples=100)
@given(
    hnp.arrays(np.float64, (4, 3), elements=st.integers(0, 16).map(lambda i: i / 16)),
    st.sampled_from([0.0, 0.0625, 0.5, 1.0]),
)
def test_certifies_exactly_the_optima(cost, lam):
    candidates = all_relations(4, 3)
    losses = np.array([relations.objective(M, cost, lam) for M in candidates])
    certified = [relations.is_optimal(M, cost, lam) for M in candidates]
    np.testing.assert_array_equal(certified, losses < losses.min() + 1e-9)


@pytest.mark.parametrize("lam", [0.0, 5e-3, 0.1, 0.5])
def test_rejects_every_single_move_away_from_the_optimum(lam):
    cost = np.random.default_rng(0).dirichlet(np.ones(83 * 27)).reshape(83, 27)
    M = relations.solve(cost, lam)
    assert relations.is_optimal(M, cost, lam)
    best = relations.objective(M, cost, lam)
    moved = 0
    for row in range(83):
        worse = M.copy()
        worse[row] = np.roll(M[row], 1)
        if (worse.sum(axis=0) >= 1).all():
            assert relations.objective(worse, cost, lam) > best
            assert not relations.is_optimal(worse, cost, lam)
            moved += 1
    assert moved > 20


def test_rejects_what_only_a_long_cycle_improves():
    """No move and no swap helps the identity here, but sending all five rows one column on does."""
    cost = 0.5 * np.eye(5) + 0.6 * np.roll(np.eye(5), 1, axis=1)
    onward = np.roll(np.eye(5), 1, axis=1)
    assert relations.objective(onward, cost, 0.1) < relations.objective(np.eye(5), cost, 0.1)
    assert not relations.is_optimal(np.eye(5), cost, 0.1)
    assert relations.is_optimal(onward, cost, 0.1)


def test_rejects_imbalance_that_the_costs_do_not_pay_for():
    lopsided = np.array([[1, 0], [1, 0], [1, 0], [0, 1]])
    assert relations.is_optimal(lopsided, np.ones((4, 2)), 0.0)
    assert not relations.is_optimal(lopsided, np.ones((4, 2)), 1e-6)


@pytest.mark.parametrize(
    "M",
    [
        [[1, 0], [1, 0], [1, 0]],  # an empty coarse class
        [[1, 0], [0, 0], [0, 1]],  # a fine class without coarse class
        [[1, 1], [1, 0], [0, 1]],  # a fine class with two
        [[1, 0], [0.5, 0.5], [0, 1]],  # a fractional one
    ],
)
def test_rejects_what_is_no_relation(M):
    assert not relations.is_optimal(M, np.ones((3, 2)), 0.0)


def test_refuses_another_shape():
    with pytest.raises(ValueError, match=r"M has shape \(2, 3\), but cost has \(3, 2\)"):
        relations.is_optimal(np.ones((2, 3)), np.ones((3, 2)), 0.1)
