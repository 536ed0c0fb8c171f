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
    mixture, trace = em.expectation_maximization(Halving(), 0, n_steps=n_steps, tolerance=tolerance)
    assert mixture == last
    np.testing.assert_allclose(trace, -(0.5 ** np.arange(last + 1)))


def test_normalize_is_the_softmax_even_of_huge_values() -> None:
    log_joint = np.random.default_rng(0).normal(size=(3, 8)) * 1e4
    log_norm, responsibilities = em.normalize(log_joint.copy())
    np.testing.assert_allclose(log_norm, logsumexp(log_joint, axis=0))
    np.testing.assert_allclose(responsibilities, softmax(log_joint, axis=0), atol=1e-12)


def test_spectrum_has_a_floor() -> None:
    covariance = np.diag([4.0, 1.0, -1e-9])
    values, vectors = em.spectrum(covariance.copy(), 1e-6)
    np.testing.assert_allclose(values, [1e-6, 1 + 1e-6, 4 + 1e-6])
    np.testing.assert_allclose(np.abs(vectors), np.eye(3)[::-1])
