"""Gaussian mixtures whose components share one covariance ("tied").

With a shared precision ``P`` the term ``x' P x`` is the same for every component, so it cancels in the
responsibilities: an E step is one matrix product ``X (P M')``, and the mean log-likelihood needs only the second
moment of the data, which never changes. That makes fits with many numbers of components cheap.
"""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass
from typing import Self

import numpy as np

from falcon_sc.core.start.mixtures.em import TINY, Mixtures, factor, log_diagonal, normalize, ridge


@dataclass(frozen=True)
class TiedMixtures(Mixtures):
    """b fitted mixtures: log weights (b, k), means (b, k, d), shared precisions (b, d, d), their log determinants (b,)."""

    log_weights: np.ndarray
    means: np.ndarray
    precision: np.ndarray
    log_determinant: np.ndarray

    def relative_log_joint(self, X: np.ndarray) -> np.ndarray:
        """Joint log p(x, component) + x'Px/2 + const, (b, k, n) for X (b, n, d): enough to compare components for one x."""
        projected = self.means @ self.precision  # b x k x d
        offset = self.log_weights - 0.5 * (projected * self.means).sum(axis=2)
        joint: np.ndarray = np.asarray(projected, dtype=X.dtype) @ X.mT
        joint += np.asarray(offset[:, :, None], dtype=X.dtype)
        return joint

    def log_likelihood(self, log_norm: np.ndarray, moment: np.ndarray) -> np.ndarray:
        """Mean log-likelihood in nats a sample (b,), from the log norms (b, n) of `relative_log_joint` and the `second_moment` of the rows."""
        d, n = moment.shape[1], log_norm.shape[1]
        common = (self.precision * moment).sum(axis=(1, 2)) + d * math.log(2 * math.pi) - self.log_determinant
        return np.asarray(log_norm.sum(axis=1, dtype=np.float64) / n - 0.5 * common)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Most probable component of each row of X (b, n, d): int16, (b, n)."""
        return np.asarray(self.relative_log_joint(X).argmax(axis=1), dtype=np.int16)


def second_moment(X: np.ndarray) -> np.ndarray:
    """X'X / n of b data sets (b, n, d) in float64."""
    return np.asarray((X.mT @ X).astype(np.float64) / X.shape[1])


class TiedSteps:
    """EM steps of tied Gaussian mixtures of b data sets X (b, n, d); a `floor` (b,) is added to the diagonal of the covariance.

    With `equal_weights` every component has the weight 1/k. With `spherical` the covariance is the mean of its
    diagonal times I: both together make K-Means with soft borders.
    """

    def __init__(self, X: np.ndarray, *, equal_weights: bool = False, spherical: bool = False) -> None:
        self.X = X
        self.floor = ridge(X)
        self._moment = second_moment(X)
        self._equal_weights = equal_weights
        self._spherical = spherical

    @property
    def n_runs(self) -> int:
        """Number of data sets, b."""
        return len(self.X)

    def of(self, runs: np.ndarray) -> Self:
        """The same of some of the data sets, which may be repeated."""
        own = copy(self)
        own.X, own.floor, own._moment = (array[runs] for array in (self.X, self.floor, self._moment))
        return own

    def expect(self, mixtures: TiedMixtures) -> tuple[np.ndarray, np.ndarray]:
        """Mean log-likelihoods (b,) and responsibilities (b, k, n)."""
        log_norm, responsibilities = normalize(mixtures.relative_log_joint(self.X))
        return mixtures.log_likelihood(log_norm, self._moment), responsibilities

    def maximize(self, expected: np.ndarray) -> TiedMixtures:
        """Weights, means and the shared covariance ``X'X/n - sum_k s_k m_k m_k' + floor I``, s_k the shares of the rows."""
        mass = np.asarray(expected.sum(axis=2), dtype=np.float64) + TINY
        means = np.asarray(expected @ self.X, dtype=np.float64) / mass[:, :, None]  # b x k x d
        shares = mass / mass.sum(axis=1, keepdims=True)
        covariance = self._moment - (means * shares[:, :, None]).mT @ means  # b x d x d
        if self._spherical:
            eye = np.eye(covariance.shape[1], dtype=np.float64)
            covariance = eye * (np.linalg.trace(covariance) / len(eye))[:, None, None]
        lower = factor(covariance, self.floor)
        inverse = np.linalg.inv(lower)
        weights = np.full_like(shares, 1 / shares.shape[1]) if self._equal_weights else shares
        return TiedMixtures(np.log(weights), means, inverse.mT @ inverse, -2 * log_diagonal(lower))
