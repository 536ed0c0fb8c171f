from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.special import logsumexp, softmax

from falcon_sc.core.start.mixtures import em


@dataclass(frozen=True)
class Heights(em.Mixtures):
    """Not mixtures: how high each run stands."""

    height: np.ndarray


class Climbs:
    """Every run goes a tenth of the way from where it stands to its own limit; steps are counted."""

    def __init__(self, limit: np.ndarray, counted: list[int] | None = None) -> None:
        self.limit, self.counted = limit, [] if counted is None else counted

    @property
    def n_runs(self) -> int:
        return len(self.limit)

    def of(self, runs: np.ndarray) -> Climbs:
        return Climbs(self.limit[runs], self.counted)

    def maximize(self, expected: np.ndarray) -> Heights:
        self.counted.append(len(expected))
        return Heights(expected + (self.limit - expected) / 10)

    def expect(self, mixtures: Heights) -> tuple[np.ndarray, np.ndarray]:
        return mixtures.height, mixtures.height.copy()


def alone(limit: float, start: float, n_steps: int, tolerance: float) -> list[float]:
    """The trace of one run, in plain Python."""
    trace = [start]
    for _ in range(n_steps):
        trace.append(trace[-1] + (limit - trace[-1]) / 10)
        if len(trace) > 2 and trace[-1] - trace[-2] < tolerance:
            break
    return trace[1:]


@pytest.mark.parametrize(("n_steps", "tolerance"), [(1, 0.0), (4, 0.0), (60, 0.05), (60, 0.5), (5, -np.inf)])
def test_every_run_ends_by_tolerance_or_steps_as_it_would_alone(n_steps: int, tolerance: float) -> None:
    limits, starts = np.array([1.0, 9, 3, 0, 40]), np.array([0.0, 0, 0, -2, 5])
    runs = em.expectation_maximization(Climbs(limits), starts, n_steps=n_steps, tolerance=tolerance)
    for run, (limit, start) in enumerate(zip(limits, starts, strict=True)):
        slow = alone(limit, start, n_steps, tolerance)
        trace = runs.trace[run]
        np.testing.assert_allclose(trace[~np.isnan(trace)], slow)
        assert runs.log_likelihood[run] == runs.mixtures.height[run] == runs.expected[run] == pytest.approx(slow[-1])


def test_runs_that_have_ended_are_not_carried_on() -> None:
    steps = Climbs(np.array([0.1, 0.1, 0.1, 90.0]))
    em.expectation_maximization(steps, np.zeros(4), n_steps=30, tolerance=0.05)
    assert steps.counted[:2] == [4, 4]
    assert set(steps.counted[2:]) == {1}


def test_normalize_is_the_softmax_even_of_huge_values() -> None:
    log_joint = np.random.default_rng(0).normal(size=(2, 3, 8)) * 1e4
    log_norm, responsibilities = em.normalize(log_joint.copy())
    np.testing.assert_allclose(log_norm, logsumexp(log_joint, axis=1))
    np.testing.assert_allclose(responsibilities, softmax(log_joint, axis=1), atol=1e-12)


def test_of_several_starts_the_likeliest_after_a_few_steps_is_kept() -> None:
    steps = Climbs(np.array([5.0, 9, 100, 2, 3, 4]))
    starts = np.array([0.0, 0, -900, 0, -50, 3.9])  # the third is far behind after five steps
    kept = em.likeliest_starts(steps, starts, 3)
    assert len(steps.counted) == em.N_SHORT
    np.testing.assert_allclose(kept, [alone(9, 0, em.N_SHORT, 0)[-1], alone(4, 3.9, em.N_SHORT, 0)[-1]])


def test_of_two_runs_on_each_data_set_the_likelier_is_taken() -> None:
    low, high = (em.expectation_maximization(Climbs(np.array(limits)), np.zeros(2)) for limits in ([5.0, 1], [2.0, 7]))
    both = em.likelier(low, high)
    np.testing.assert_array_equal(both.log_likelihood, [low.log_likelihood[0], high.log_likelihood[1]])
    np.testing.assert_array_equal(both.mixtures.height, both.log_likelihood)
    np.testing.assert_array_equal(both.expected, both.log_likelihood)


def test_batches_hold_every_matrix_once_in_stacks_of_one_shape() -> None:
    rng, n_many = np.random.default_rng(0), em.AT_ONCE // 8 + 1
    matrices = [rng.normal(size=(n, d)) for n, d in [(40, 2), (40, 3), (40, 2), (n_many, 2), (n_many, 2), (40, 3)]]
    seen = []
    for own, X in em.batches(matrices, 8):
        for i, matrix in zip(own, X, strict=True):
            np.testing.assert_array_equal(matrix, matrices[i])
        assert len(own) == 1 or X.shape[0] * X.shape[1] * 8 <= em.AT_ONCE
        seen.append(own.tolist())
    assert sorted(map(tuple, seen)) == [(0, 2), (1, 5), (3,), (4,)]


def test_the_factor_of_a_covariance_and_the_floor_below_it() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    covariance = X.T @ X / 50
    broken = np.diag([4.0, 1.0, -1e-3])  # what cancellation leaves of a covariance
    sound, mended = em.factor(np.stack([covariance, broken]), np.array([0.1, 1e-6]))
    np.testing.assert_allclose(sound @ sound.T, covariance + 0.1 * np.eye(3))
    np.testing.assert_allclose(mended @ mended.T, np.diag([4 + 1e-6, 1 + 1e-6, 1e-6]), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(em.log_diagonal(sound[None]), np.linalg.slogdet(sound @ sound.T)[1] / 2)
