from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linear_sum_assignment

from falcon_sc.core import relations

LAMS = (0.0, 5e-5, 5e-3, 0.1, 0.5)


def simulate(n_fine: int, n_coarse: int, seed: int) -> np.ndarray:
    """P^T Y / N of predictions that mostly respect a hidden relation, with fine classes of all sizes."""
    rng = np.random.default_rng(seed)
    parent = rng.integers(n_coarse, size=n_fine)
    rows = 0.6 * np.eye(n_coarse)[parent] + 0.4 * rng.dirichlet(np.full(n_coarse, 0.3), n_fine)
    return rng.dirichlet(np.ones(n_fine))[:, None] * rows


def loss(column_of: np.ndarray, cost: np.ndarray, lam: float) -> float:
    """Eq. 12-13 from the definition, on a list of columns rather than a matrix."""
    n_fine, n_coarse = cost.shape
    counts = [np.count_nonzero(column_of == j) for j in range(n_coarse)]
    linear = -sum(cost[f, column_of[f]] for f in range(n_fine))
    return linear + lam * (sum(n**2 for n in counts) / n_coarse - n_fine**2 / n_coarse**2)


def brute_force(cost: np.ndarray, lam: float) -> float:
    n_fine, n_coarse = cost.shape
    columns = np.array(list(itertools.product(range(n_coarse), repeat=n_fine)))
    counts = (columns[:, :, None] == np.arange(n_coarse)).sum(axis=1)
    losses = -cost[np.arange(n_fine), columns].sum(axis=1) + lam * (
        (counts**2).sum(axis=1) / n_coarse - n_fine**2 / n_coarse**2
    )
    return losses[(counts >= 1).all(axis=1)].min()


def by_assignment(cost: np.ndarray, lam: float) -> float:
    """An independent exact solver: every place of every column is a column of an assignment problem."""
    n_fine, n_coarse = cost.shape
    places = np.arange(n_fine - n_coarse + 1)
    price = lam / n_coarse * (2 * places + 1)
    price[0] -= 10 * cost.max() + 1
    slots = np.repeat(-cost, len(places), axis=1) + np.tile(price, n_coarse)
    rows, slot = linear_sum_assignment(slots)
    assert (rows == np.arange(n_fine)).all()
    return loss(slot // len(places), cost, lam)


def assert_relation(M: np.ndarray, shape: tuple[int, int]) -> None:
    assert M.dtype == np.uint8
    assert M.shape == shape
    assert set(np.unique(M)) <= {0, 1}
    assert (M.sum(axis=1) == 1).all()
    assert (M.sum(axis=0) >= 1).all()


@st.composite
def tiny_problems(draw: st.DrawFn) -> tuple[np.ndarray, float]:
    n_coarse = draw(st.integers(1, 4))
    n_fine = draw(st.integers(n_coarse, 5 if n_coarse == 4 else 6))
    # sixteenths give many ties, the others none
    entries = draw(st.sampled_from([st.integers(0, 16).map(lambda i: i / 16), st.floats(0, 1)]))
    cost = draw(hnp.arrays(np.float64, (n_fine, n_coarse), elements=entries))
    return cost, draw(st.sampled_from([0.0, 1e-3, 0.05, 0.3]) | st.floats(0, 2))


@settings(max_examples=150)
@given(tiny_problems())
def test_brute_force_finds_nothing_better(problem):
    cost, lam = problem
    M = relations.solve(cost, lam)
    assert_relation(M, cost.shape)
    assert relations.objective(M, cost, lam) == pytest.approx(brute_force(cost, lam), abs=1e-12)
    assert relations.is_optimal(M, cost, lam)


@pytest.mark.parametrize("lam", LAMS)
@pytest.mark.parametrize("shape", [(8, 8), (24, 8), (60, 7), (83, 27)], ids=str)
def test_agrees_with_assignment_to_slots(shape, lam):
    for seed in range(3):
        cost = simulate(*shape, seed)
        M = relations.solve(cost, lam)
        assert_relation(M, shape)
        assert relations.objective(M, cost, lam) == pytest.approx(by_assignment(cost, lam), abs=1e-13)


@pytest.mark.parametrize("lam", LAMS)
def test_large_relation_is_certified(lam):
    cost = simulate(608, 34, seed=0)
    M = relations.solve(cost, lam)
    assert_relation(M, cost.shape)
    assert relations.is_optimal(M, cost, lam)


@pytest.mark.parametrize(("scale", "lam"), [(1e-12, 1e-13), (1e6, 1e4), (1.0, 1e9), (0.0, 0.0), (0.0, 0.1)])
def test_any_scale(scale, lam):
    cost = scale * simulate(20, 6, seed=1)
    M = relations.solve(cost, lam)
    assert_relation(M, cost.shape)
    best = by_assignment(cost, lam)
    assert relations.objective(M, cost, lam) == pytest.approx(best, rel=1e-12, abs=1e-25)
    assert relations.is_optimal(M, cost, lam)


def test_objective_follows_the_equations():
    cost = simulate(9, 4, seed=0)
    M = relations.solve(cost, 0.2)
    assert relations.objective(M, cost, 0.2) == pytest.approx(loss(M.argmax(axis=1), cost, 0.2), abs=1e-14)
    P = np.random.default_rng(0).dirichlet(np.ones(9), 50)
    Y = np.eye(4)[np.arange(50) % 4]
    eq_12 = -np.trace(Y.T @ P @ M) / 50
    ones = np.ones((9, 1))
    eq_13 = np.trace(M.T @ ones @ ones.T @ M) / 4 - 9**2 / 4**2
    assert relations.objective(M, P.T @ Y / 50, 0.2) == pytest.approx(eq_12 + 0.2 * eq_13, abs=1e-14)


def test_balance_is_zero_when_balanced():
    M = np.repeat(np.eye(3), 4, axis=0)
    assert relations.objective(M, np.zeros((12, 3)), 7.0) == pytest.approx(0, abs=1e-12)


def test_without_balance_each_fine_class_takes_its_strongest_coarse_class():
    cost = simulate(60, 5, seed=3)
    strongest = cost.argmax(axis=1)
    assert len(np.unique(strongest)) == 5
    np.testing.assert_array_equal(relations.solve(cost, 0.0).argmax(axis=1), strongest)


def test_empty_coarse_class_gets_the_fine_class_that_loses_least():
    cost = [[0.5, 0.1], [0.2, 0.15], [0.1, 0.0]]
    np.testing.assert_array_equal(relations.solve(cost, 0.0), [[1, 0], [0, 1], [1, 0]])


def test_strong_balance_gives_equal_counts():
    counts = relations.solve(simulate(22, 5, seed=0), 100.0).sum(axis=0)
    assert sorted(counts) == [4, 4, 4, 5, 5]


def test_as_many_fine_as_coarse_classes_is_an_assignment():
    cost = simulate(15, 15, seed=0)
    _, columns = linear_sum_assignment(cost, maximize=True)
    np.testing.assert_array_equal(relations.solve(cost, 0.3).argmax(axis=1), columns)


def test_one_coarse_class_takes_all():
    np.testing.assert_array_equal(relations.solve(np.ones((4, 1)), 0.1), np.ones((4, 1)))


@pytest.mark.parametrize("lam", [0.0, 0.1])
def test_ties_are_broken_the_same_way_every_time(lam):
    cost = np.full((10, 4), 1 / 40)
    M = relations.solve(cost, lam)
    assert_relation(M, cost.shape)
    for again in (cost.copy(), np.asfortranarray(cost), cost.tolist()):
        np.testing.assert_array_equal(relations.solve(again, lam), M)
    # fixed by the order in which rows join and columns are visited, on every machine
    expected = [0, 3, 2, 1, 0, 3, 2, 1, 0, 3] if lam else [0, 3, 2, 1, 0, 0, 0, 0, 0, 0]
    assert M.argmax(axis=1).tolist() == expected


@pytest.mark.parametrize("lam", LAMS)
def test_order_of_classes_does_not_change_the_value(lam):
    rng = np.random.default_rng(0)
    cost = simulate(40, 9, seed=4)
    M = relations.solve(cost, lam)
    rows, columns = rng.permutation(40), rng.permutation(9)
    shuffled = cost[np.ix_(rows, columns)]
    again = relations.solve(shuffled, lam)
    value = relations.objective(M, cost, lam)
    assert relations.objective(again, shuffled, lam) == pytest.approx(value, abs=1e-14)
    np.testing.assert_array_equal(again, M[np.ix_(rows, columns)])  # generic costs: the optimum is unique


def test_input_is_converted_and_left_alone():
    counts = np.random.default_rng(0).integers(0, 50, (12, 4))
    before = counts.copy()
    expected = relations.solve(counts.astype(np.float64), 3.0)
    for cost in (counts, counts.astype(np.float32), torch.from_numpy(counts), counts.tolist()):
        np.testing.assert_array_equal(relations.solve(cost, 3), expected)
    np.testing.assert_array_equal(counts, before)


@pytest.mark.parametrize(
    ("cost", "message"),
    [
        (np.ones(4), r"cost has shape \(4,\)"),
        (np.ones((2, 2, 2)), r"cost has shape \(2, 2, 2\)"),
        (np.ones((3, 0)), r"cost has shape \(3, 0\)"),
        ([[1.0, np.nan], [0.0, np.inf]], "cost holds 2 values that are NaN or infinite"),
        ([[1.0, 0.0], [-0.5, 0.0]], r"cost holds negative values \(lowest -0.5\)"),
        (np.ones((2, 3)), "2 fine classes .* for 3 coarse classes"),
    ],
)
def test_bad_cost_is_refused(cost, message):
    for call in (relations.solve, lambda c, lam: relations.is_optimal(c, c, lam)):
        with pytest.raises(ValueError, match=message):
            call(cost, 0.1)


@pytest.mark.parametrize("lam", [-1e-9, np.nan, np.inf])
def test_bad_lam_is_refused(lam):
    M = np.eye(2)
    for call in (lambda: relations.solve(M, lam), lambda: relations.objective(M, M, lam)):
        with pytest.raises(ValueError, match=r"lam=.* must be a finite number, at least 0"):
            call()


def test_automatic_choice_is_the_flow():
    assert relations.solver_name("auto") == relations.solver_name("flow") == "flow"
    assert relations.solver_name("gurobi") == "gurobi"


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match=r"solver='cplex' is unknown; choose one of 'auto', 'flow', 'gurobi'"):
        relations.solve(np.eye(2), 0.1, solver="cplex")
    for limit in (0, -1.0, np.nan):
        with pytest.raises(ValueError, match=r"time_limit=.* must be a positive number"):
            relations.solve(np.eye(2), 0.1, time_limit=limit)
    with pytest.raises(ValueError, match=r"M has shape \(2, 2\), but cost has \(3, 2\)"):
        relations.objective(np.eye(2), np.ones((3, 2)), 0.1)


def test_random_relation():
    M = relations.random_relation(30, 8, 0.1, 0)
    assert_relation(M, (30, 8))
    np.testing.assert_array_equal(relations.random_relation(30, 8, 0.1, 0), M)
    assert (relations.random_relation(30, 8, 0.1, 1) != M).any()
    assert set(relations.random_relation(30, 8, 10.0, 0).sum(axis=0)) == {3, 4}
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(relations.random_relation(30, 8, 0.1, rng), M)
    assert (relations.random_relation(30, 8, 0.1, rng) != M).any()
    with pytest.raises(ValueError, match=r"3 fine classes .* for 8 coarse classes"):
        relations.random_relation(3, 8, 0.1, 0)
