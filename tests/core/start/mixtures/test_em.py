from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp, softmax

from falcon_sc.core.start.mixtures import em


class Halving:
    """Not a mixture: the likelihood rises by 1, 1/2, 1/4 ... whatever was expected."""

    def maximize(self, expected: int) -> int:
        return expected

    def expect(self, mixture: int) -> tuple[float, int]:
        return -(0.5**mixture), mixture + 1


@pytest.mark.parametrize(
    ("n_steps", "tolerance", "last"), [(1, 0.0, 0), (4, 0.0, 3), (60, 0.2, 3), (60, 0.3, 2), (5, -np.inf, 4)]
)
def test_the_loop_ends_by_tolerance_or_steps_with_the_likelihood_of_its_mixture(
    n_steps: int, tolerance: float, last: int
) -> None:
    run = em.expectation_maximization(Halving(), 0, n_steps=n_steps, tolerance=tolerance)
    assert run.mixture == last
    assert run.expected == last + 1
    np.testing.assert_allclose(run.trace, -(0.5 ** np.arange(last + 1)))
    assert run.log_likelihood == run.trace[-1]


def test_normalize_is_the_softmax_even_of_huge_values() -> None:
    log_joint = np.random.default_rng(0).normal(size=(3, 8)) * 1e4
    log_norm, responsibilities = em.normalize(log_joint.copy())
    np.testing.assert_allclose(log_norm, logsumexp(log_joint, axis=0))
    np.testing.assert_allclose(responsibilities, softmax(log_joint, axis=0), atol=1e-12)


class Wells:
    """Not a mixture: runs end at the limit they started under, slowly."""

    def __init__(self) -> None:
        self.n_steps = 0

    def maximize(self, expected: tuple[float, float]) -> tuple[float, float]:
        self.n_steps += 1
        limit, now = expected
        return limit, limit + 0.9 * (now - limit)

    def expect(self, mixture: tuple[float, float]) -> tuple[float, tuple[float, float]]:
        return mixture[1], mixture


def test_of_several_starts_the_likeliest_after_a_few_steps_is_kept() -> None:
    steps = Wells()
    run = em.best_short_run(steps, [(5.0, 0.0), (9.0, 0.0), (100.0, -200.0)])  # the last is far behind after five steps
    assert run.mixture[0] == 9
    assert steps.n_steps == 3 * em.N_SHORT
    assert em.expectation_maximization(steps, run.expected).log_likelihood > run.log_likelihood


def test_the_factor_of_a_covariance_and_the_floor_below_it() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 4))
    covariance = X.T @ X / 50
    lower = em.factor(covariance.copy(), 0.1)
    np.testing.assert_allclose(lower @ lower.T, covariance + 0.1 * np.eye(4))
    broken = np.diag([4.0, 1.0, -1e-3])  # what cancellation leaves of a covariance
    lower = em.factor(broken.copy(), 1e-6)
    np.testing.assert_allclose(lower @ lower.T, np.diag([4 + 1e-6, 1 + 1e-6, 1e-6]), rtol=1e-6, atol=1e-12)
