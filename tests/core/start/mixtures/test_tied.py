from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from falcon_sc.core.start.mixtures.em import expectation_maximization, normalize
from falcon_sc.core.start.mixtures.kmeans import kmeans_labels
from falcon_sc.core.start.mixtures.tied import TiedSteps

if TYPE_CHECKING:
    from falcon_sc.core.start.mixtures import tied


def planted(sizes: tuple[int, ...], rng: np.random.Generator, d: int = 4, gap: float = 6.0) -> tuple[np.ndarray, ...]:
    """Groups that share one elongated covariance."""
    truth = np.repeat(np.arange(len(sizes)), sizes)
    shape = rng.normal(size=(d, d))
    X = rng.normal(size=(len(truth), d)) @ shape + gap * rng.normal(size=(len(sizes), d))[truth]
    return X - X.mean(axis=0), truth


def one_hot(labels: np.ndarray, k: int) -> np.ndarray:
    return (labels == np.arange(k)[:, None]).astype(np.float64)


class One:
    """The only mixture of a batch, with the shapes that one has."""

    def __init__(self, mixtures: tied.TiedMixtures) -> None:
        self.batch = mixtures
        self.log_weights, self.means, self.precision = mixtures.log_weights[0], mixtures.means[0], mixtures.precision[0]

    def log_likelihood(self, X: np.ndarray) -> float:
        return float(TiedSteps(X[None]).expect(self.batch)[0][0])

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.batch.predict(X[None])[0]


def fit(
    X: np.ndarray, start: np.ndarray, *, floor: float | None = None, stop: dict[str, float] | None = None, **kind: bool
) -> tuple[One, np.ndarray]:
    """EM on one data set from responsibilities (k x n)."""
    steps = TiedSteps(X[None], **kind)
    if floor is not None:
        steps.floor = np.array([floor])
    runs = expectation_maximization(steps, start[None], **(stop or {}))
    return One(runs.mixtures), runs.trace[0][~np.isnan(runs.trace[0])]


def test_log_likelihood_equals_scipy_and_sklearn_at_fixed_parameters() -> None:
    rng = np.random.default_rng(0)
    X, truth = planted((50, 30, 20), rng)
    fitted, trace = fit(X, one_hot(truth, 3), floor=1e-6)
    covariance = np.linalg.inv(fitted.precision)
    joint = np.stack(
        [
            weight + multivariate_normal.logpdf(X, mean, covariance)
            for weight, mean in zip(fitted.log_weights, fitted.means, strict=True)
        ]
    )
    slow = np.logaddexp.reduce(joint, axis=0).mean()
    assert fitted.log_likelihood(X) == pytest.approx(slow, abs=1e-9)
    assert trace[-1] == pytest.approx(slow, abs=1e-9)
    sklearn = GaussianMixture(3, covariance_type="tied")
    sklearn.weights_, sklearn.means_ = np.exp(fitted.log_weights), fitted.means
    sklearn.precisions_cholesky_ = np.linalg.cholesky(fitted.precision)
    assert sklearn.score(X) == pytest.approx(slow, abs=1e-9)
    np.testing.assert_array_equal(sklearn.predict(X), fitted.predict(X))


def test_the_m_step_equals_sklearns() -> None:
    rng = np.random.default_rng(1)
    X, _ = planted((40, 40), rng)
    responsibilities = rng.dirichlet(np.ones(3), len(X))
    steps = TiedSteps(X[None])
    steps.floor = np.array([1e-6])
    fitted = One(steps.maximize(responsibilities.T[None]))
    sklearn = GaussianMixture(3, covariance_type="tied", reg_covar=1e-6)
    sklearn._initialize(X, responsibilities)
    np.testing.assert_allclose(fitted.means, sklearn.means_)
    np.testing.assert_allclose(np.exp(fitted.log_weights), sklearn.weights_)
    np.testing.assert_allclose(np.linalg.inv(fitted.precision), sklearn.covariances_)


def test_log_likelihood_never_falls() -> None:
    rng = np.random.default_rng(2)
    X, _ = planted((60, 60, 60), rng, gap=1.0)
    start = one_hot(rng.integers(4, size=len(X)), 4)
    _, trace = fit(X, start, floor=1e-12, stop={"tolerance": 0.0})
    assert len(trace) > 5
    assert np.diff(trace).min() > -1e-10


def test_single_precision_agrees() -> None:
    rng = np.random.default_rng(3)
    X, truth = planted((80, 40), rng)
    exact, _ = fit(X, one_hot(truth, 2), floor=1e-3)
    single, _ = fit(X.astype(np.float32), one_hot(truth, 2).astype(np.float32), floor=1e-3)
    assert single.log_likelihood(X.astype(np.float32)) == pytest.approx(exact.log_likelihood(X), abs=1e-4)


def test_elongated_groups_that_kmeans_cuts_are_found() -> None:
    rng = np.random.default_rng(4)
    truth = np.repeat([0, 1, 2], 100)
    X = rng.normal(size=(300, 2)) * [3, 0.5] + np.array([[0, -4], [0, 0], [0, 4]])[truth]
    fitted, _ = fit(X, one_hot(kmeans_labels(X[None], 3, rng)[0], 3))
    assert adjusted_rand_score(truth, fitted.predict(X)) > 0.95


def test_as_many_components_as_samples() -> None:
    X = np.random.default_rng(7).normal(size=(5, 2))
    fitted, _ = fit(X, one_hot(kmeans_labels(X[None], 5, np.random.default_rng(0))[0], 5))
    assert np.isfinite(fitted.log_likelihood(X))
    np.testing.assert_array_equal(np.sort(fitted.predict(X)), np.arange(5))


def test_with_equal_weights_the_likelihood_rises_all_the_same_and_the_weights_stay() -> None:
    """EM under a constraint: everything else is as scipy has it with weights of 1/k."""
    rng = np.random.default_rng(6)
    X, _ = planted((150, 40, 10), rng, gap=1.0)
    start = one_hot(rng.integers(3, size=len(X)), 3)
    fitted, trace = fit(X, start, floor=1e-9, equal_weights=True, stop={"tolerance": -np.inf})
    np.testing.assert_array_equal(fitted.log_weights, np.full(3, -np.log(3)))
    assert (np.diff(trace) > -1e-9).all()
    density = [multivariate_normal.pdf(X, mean, np.linalg.inv(fitted.precision)) for mean in fitted.means]
    assert fitted.log_likelihood(X) == pytest.approx(np.log(np.mean(density, axis=0)).mean(), abs=1e-9)


def test_a_spherical_mixture_has_one_variance_in_all_directions() -> None:
    """Its mean over components and columns, as an explicit sum has it; the likelihood is scipy's."""
    rng = np.random.default_rng(8)
    X = np.repeat([[0.0, 0, 0], [9, 0, 0]], 100, axis=0) + rng.normal(size=(200, 3)) * [1, 2, 3]
    X -= X.mean(axis=0)
    fitted, trace = fit(X, one_hot(np.repeat([0, 1], 100), 2), floor=0, spherical=True, stop={"tolerance": -np.inf})
    assert (np.diff(trace) > -1e-9).all()
    resp = normalize(fitted.batch.relative_log_joint(X[None]))[1][0]
    deviations = ((X[None] - fitted.means[:, None]) ** 2).sum(axis=2)
    variance = (resp * deviations).sum() / X.size
    np.testing.assert_allclose(np.linalg.inv(fitted.precision), variance * np.eye(3), rtol=1e-6, atol=1e-9)
    density = [multivariate_normal.pdf(X, mean, variance * np.eye(3)) for mean in fitted.means]
    slow = np.log(np.exp(fitted.log_weights) @ np.array(density)).mean()
    assert fitted.log_likelihood(X) == pytest.approx(slow, abs=1e-6)


def test_equal_weights_cut_a_continuum_more_evenly() -> None:
    X = np.random.default_rng(7).exponential(size=(2000, 2)).astype(np.float32)
    X -= X.mean(axis=0)
    spread = {}
    for equal in (False, True):
        start = one_hot(kmeans_labels(X[None], 4, np.random.default_rng(0))[0], 4).astype(np.float32)
        fitted, _ = fit(X, start, equal_weights=equal)
        spread[equal] = np.bincount(fitted.predict(X), minlength=4).std()
    assert spread[True] < 0.8 * spread[False]
