"""Gaussian mixtures whose components share one covariance ("tied").

With a shared precision ``P`` the term ``x' P x`` is the same for every component, so it cancels in the
responsibilities: an E step is one matrix product ``X (P M')``, and the mean log-likelihood needs only the second
moment of the data, which never changes. That makes fits with many numbers of components cheap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from falcon_sc.core.start.mixtures.em import best_short_run, expectation_maximization, factor, normalize, one_hot, ridge
from falcon_sc.core.start.mixtures.kmeans import kmeans_labels

N_STARTS = 2  # from K-Means: short runs, of which the likeliest goes on


@dataclass(frozen=True)
class TiedMixture:
    """A fitted mixture: log weights (k,), means (k, d), shared precision (d, d) and its log determinant."""

    log_weights: np.ndarray
    means: np.ndarray
    precision: np.ndarray
    log_determinant: float

    def relative_log_joint(self, X: np.ndarray) -> np.ndarray:
        """Joint log p(x, component) + x'Px/2 + const, k x n: enough to compare components for one x."""
        projected = self.means @ self.precision  # k x d
        offset = self.log_weights - 0.5 * np.einsum("kd,kd->k", projected, self.means)
        return np.asarray(projected.astype(X.dtype) @ X.T + offset[:, None].astype(X.dtype))  # k x n

    def log_likelihood(self, X: np.ndarray) -> float:
        """Mean log-likelihood in nats a sample."""
        log_norm, _ = normalize(self.relative_log_joint(X))
        return self.absolute(log_norm, second_moment(X))

    def absolute(self, log_norm: np.ndarray, moment: np.ndarray) -> float:
        """Mean log-likelihood, from the log norms (n,) of `relative_log_joint` and the `second_moment` of the rows."""
        common = np.vdot(self.precision, moment) + len(moment) * np.log(2 * np.pi) - self.log_determinant
        return float(log_norm.sum(dtype=np.float64) / len(log_norm) - 0.5 * common)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Most probable component of each row of X (n x d), int16."""
        return self.relative_log_joint(X).argmax(axis=0).astype(np.int16)


def second_moment(X: np.ndarray) -> np.ndarray:
    """X'X / n in float64."""
    return np.asarray((X.T @ X).astype(np.float64) / X.shape[0])


class TiedSteps:
    """EM steps of tied Gaussian mixtures of the rows of X (n x d); `floor` on the diagonal of the covariance.

    With `equal_weights` every component has the weight 1/k. With `spherical` the covariance is the mean of its
    diagonal times I: both together make K-Means with soft borders.
    """

    def __init__(
        self, X: np.ndarray, *, floor: float | None = None, equal_weights: bool = False, spherical: bool = False
    ) -> None:
        self.X = X
        self.floor = ridge(X) if floor is None else floor
        self._moment = second_moment(X)
        self._equal_weights = equal_weights
        self._spherical = spherical

    def expect(self, mixture: TiedMixture) -> tuple[float, np.ndarray]:
        """Mean log-likelihood and responsibilities, k x n."""
        log_norm, responsibilities = normalize(mixture.relative_log_joint(self.X))
        return mixture.absolute(log_norm, self._moment), responsibilities

    def maximize(self, expected: np.ndarray) -> TiedMixture:
        """Weights, means and the shared covariance ``X'X/n - sum_k s_k m_k m_k' + floor I``, s_k the shares of the rows."""
        mass = expected.sum(axis=1).astype(np.float64) + 10 * np.finfo(np.float64).eps
        means = (expected @ self.X).astype(np.float64) / mass[:, None]  # k x d
        shares = mass / mass.sum()
        covariance = self._moment - (means * shares[:, None]).T @ means  # d x d
        if self._spherical:
            covariance = np.eye(len(covariance)) * (np.trace(covariance) / len(covariance))
        lower = factor(covariance, self.floor)
        half = lapack.dpotri(lower, lower=1)[0]  # lower triangle of the inverse, zeros above
        precision = half + half.T
        precision.flat[:: len(half) + 1] /= 2
        log_determinant = -2 * float(np.log(lower.diagonal()).sum())
        weights = np.full_like(shares, 1 / len(shares)) if self._equal_weights else shares
        return TiedMixture(np.log(weights), means, precision, log_determinant)


def fit_mixture(X: np.ndarray, n_components: int, rng: np.random.Generator) -> TiedMixture:
    """The likeliest of a few mixtures of the rows of X (n x d, columns about centered), started from K-Means labels."""
    X = np.ascontiguousarray(X)
    starts = [one_hot(kmeans_labels(X, n_components, rng), n_components, X.dtype) for _ in range(N_STARTS)]
    steps = TiedSteps(X)
    return expectation_maximization(steps, best_short_run(steps, starts).expected).mixture
