from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_t

from falcon_sc.core.start.mixtures import em
from falcon_sc.core.start.mixtures.student import DEGREES_OF_FREEDOM, StudentSteps, TiedStudentMixtures


def one_hot(labels: np.ndarray, k: int) -> np.ndarray:
    return (labels == np.arange(k)[:, None]).astype(np.float64)


class One:
    """The only mixture of a batch, with the shapes that one has."""

    def __init__(self, mixtures: TiedStudentMixtures) -> None:
        self.batch = mixtures
        self.log_weights, self.means, self.whitening = mixtures.log_weights[0], mixtures.means[0], mixtures.whitening[0]

    def log_joint(self, X: np.ndarray) -> np.ndarray:
        return self.batch.log_joint(self.batch.distances(X[None]))[0]

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.batch.predict(X[None])[0]


def fit(
    X: np.ndarray, responsibilities: np.ndarray, *, equal_weights: bool = False, **stop: float
) -> tuple[One, np.ndarray]:
    """EM on one data set from responsibilities (k x n), every row of precision one."""
    steps = StudentSteps(X[None], equal_weights=equal_weights)
    start = responsibilities[None]
    runs = em.expectation_maximization(steps, (start, np.ones_like(start)), **stop)
    return One(runs.mixtures), runs.trace[0][~np.isnan(runs.trace[0])]


def planted(rng: np.random.Generator, n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    truth = rng.integers(3, size=n)
    X = rng.standard_t(3, size=(n, 4)) @ rng.normal(size=(4, 4)) + 12 * rng.normal(size=(3, 4))[truth]
    return X - X.mean(axis=0), truth


def test_log_joint_equals_scipy() -> None:
    rng = np.random.default_rng(0)
    X, truth = planted(rng)
    fitted, trace = fit(X, one_hot(truth, 3))
    shape = np.linalg.inv(fitted.whitening @ fitted.whitening.T)
    slow = np.stack(
        [
            weight + multivariate_t.logpdf(X, mean, shape, df=DEGREES_OF_FREEDOM)
            for weight, mean in zip(fitted.log_weights, fitted.means, strict=True)
        ]
    )
    np.testing.assert_allclose(fitted.log_joint(X), slow, atol=1e-8)
    assert trace[-1] == pytest.approx(np.logaddexp.reduce(slow, axis=0).mean(), abs=1e-8)


def test_one_component_is_the_maximum_likelihood_t() -> None:
    """Location and scale of largest likelihood: no small change of them does better."""
    rng = np.random.default_rng(1)
    X, _ = planted(rng)
    fitted, _ = fit(X, np.ones((1, len(X))), n_steps=500, tolerance=1e-14)
    mean, shape = fitted.means[0], np.linalg.inv(fitted.whitening @ fitted.whitening.T)
    shape -= em.ridge(X[None]) * np.eye(4)
    best = multivariate_t.logpdf(X, mean, shape, df=5).mean()
    for _ in range(20):
        nudge = 0.05 * rng.normal(size=(4, 4))
        other = multivariate_t.logpdf(X, mean + 0.1 * rng.normal(size=4), shape + nudge @ shape @ nudge.T, df=5).mean()
        assert other <= best + 1e-4


def test_log_likelihood_never_falls() -> None:
    rng = np.random.default_rng(2)
    X, _ = planted(rng)
    _, trace = fit(X, one_hot(rng.integers(5, size=len(X)), 5), tolerance=-np.inf)
    assert len(trace) == em.N_STEPS
    assert (np.diff(trace) > -1e-9).all()


def test_outliers_hardly_move_a_component() -> None:
    X = np.random.default_rng(3).normal(size=(300, 3))
    X[:6] += 100
    fitted, _ = fit(X, np.ones((1, 300)))
    assert (
        np.linalg.norm(fitted.means[0] - X[6:].mean(axis=0)) < np.linalg.norm(X.mean(axis=0) - X[6:].mean(axis=0)) / 20
    )


def test_float32_rows_give_the_same_labels() -> None:
    rng = np.random.default_rng(4)
    X, truth = planted(rng)
    exact = fit(X, one_hot(truth, 3))[0].predict(X)
    single = fit(X.astype(np.float32), one_hot(truth, 3).astype(np.float32))[0].predict(X.astype(np.float32))
    assert single.dtype == np.int16
    assert np.mean(exact == single) > 0.99


def test_with_equal_weights_the_likelihood_rises_all_the_same_and_the_weights_stay() -> None:
    rng = np.random.default_rng(5)
    X, _ = planted(rng)
    start = one_hot(rng.integers(4, size=len(X)), 4)
    fitted, trace = fit(X, start, tolerance=-np.inf, equal_weights=True)
    np.testing.assert_allclose(fitted.log_weights, -np.log(4))
    assert (np.diff(trace) > -1e-9).all()
