"""Gaussian mixtures whose components share one covariance ("tied").

With a shared precision ``P`` the term ``x' P x`` is the same for every component, so it cancels in the
responsibilities: an E step is one matrix product ``X (P M')``, and the mean log-likelihood needs only the second
moment of the data, which never changes. That makes fits with many numbers of components cheap.
"""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from falcon_sc.core.start.mixtures.arrays import entries, namespace
from falcon_sc.core.start.mixtures.em import TINY, Mixtures, factor, log_diagonal, normalize, ridge

if TYPE_CHECKING:
    import numpy as np

    from falcon_sc.core.start.mixtures.arrays import Array


@dataclass(frozen=True)
class TiedMixtures(Mixtures):
    """b fitted mixtures: log weights (b, k), means (b, k, d), shared precisions (b, d, d), their log determinants (b,)."""

    log_weights: Array
    means: Array
    precision: Array
    log_determinant: Array

    def relative_log_joint(self, X: Array) -> Array:
        """Joint log p(x, component) + x'Px/2 + const, (b, k, n) for X (b, n, d): enough to compare components for one x."""
        xp = namespace(X)
        projected = self.means @ self.precision  # b x k x d
        offset = self.log_weights - 0.5 * (projected * self.means).sum(axis=2)
        joint = xp.asarray(projected, dtype=X.dtype) @ X.mT
        joint += xp.asarray(offset[:, :, None], dtype=X.dtype)
        return joint

    def log_likelihood(self, log_norm: Array, moment: Array) -> Array:
        """Mean log-likelihood in nats a sample (b,), from the log norms (b, n) of `relative_log_joint` and the `second_moment` of the rows."""
        xp = namespace(moment)
        d, n = moment.shape[1], log_norm.shape[1]
        common = (self.precision * moment).sum(axis=(1, 2)) + d * math.log(2 * math.pi) - self.log_determinant
        return log_norm.sum(axis=1, dtype=xp.float64) / n - 0.5 * common

    def predict(self, X: Array) -> Array:
        """Most probable component of each row of X (b, n, d): int16, (b, n)."""
        xp = namespace(X)
        return xp.asarray(self.relative_log_joint(X).argmax(axis=1), dtype=xp.int16)


def second_moment(X: Array) -> Array:
    """X'X / n of b data sets (b, n, d) in float64."""
    xp = namespace(X)
    return xp.asarray(X.mT @ X, dtype=xp.float64) / X.shape[1]


class TiedSteps:
    """EM steps of tied Gaussian mixtures of b data sets X (b, n, d); a `floor` (b,) is added to the diagonal of the covariance.

    With `equal_weights` every component has the weight 1/k. With `spherical` the covariance is the mean of its
    diagonal times I: both together make K-Means with soft borders.
    """

    def __init__(self, X: Array, *, equal_weights: bool = False, spherical: bool = False) -> None:
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
        own.X, own.floor, own._moment = (entries(array, runs) for array in (self.X, self.floor, self._moment))
        return own

    def expect(self, mixtures: TiedMixtures) -> tuple[Array, Array]:
        """Mean log-likelihoods (b,) and responsibilities (b, k, n)."""
        log_norm, responsibilities = normalize(mixtures.relative_log_joint(self.X))
        return mixtures.log_likelihood(log_norm, self._moment), responsibilities

    def maximize(self, expected: Array) -> TiedMixtures:
        """Weights, means and the shared covariance ``X'X/n - sum_k s_k m_k m_k' + floor I``, s_k the shares of the rows."""
        xp = namespace(expected)
        mass = xp.asarray(expected.sum(axis=2), dtype=xp.float64) + TINY
        means = xp.asarray(expected @ self.X, dtype=xp.float64) / mass[:, :, None]  # b x k x d
        shares = mass / mass.sum(axis=1, keepdims=True)
        covariance = self._moment - (means * shares[:, :, None]).mT @ means  # b x d x d
        if self._spherical:
            eye = xp.eye(covariance.shape[1], dtype=xp.float64, device=covariance.device)
            covariance = eye * (xp.linalg.trace(covariance) / len(eye))[:, None, None]
        lower = factor(covariance, self.floor)
        inverse = xp.linalg.inv(lower)
        weights = xp.full_like(shares, 1 / shares.shape[1]) if self._equal_weights else shares
        return TiedMixtures(xp.log(weights), means, inverse.mT @ inverse, -2 * log_diagonal(lower))
