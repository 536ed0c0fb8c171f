"""Mixtures of Student t distributions that share one scale matrix.

The Gaussian mixtures of :mod:`falcon_sc.core.start.mixtures.tied` spend components on a handful of outlying cells; heavy tails
take them in, and wide groups are split where the density is low. The two kinds err differently, so a consensus of both
is better than either.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.special import gammaln

from falcon_sc.core.start.mixtures.arrays import at_least, entries, namespace
from falcon_sc.core.start.mixtures.em import TINY, Mixtures, factor, log_diagonal, normalize, ridge

if TYPE_CHECKING:
    from falcon_sc.core.start.mixtures.arrays import Array

DEGREES_OF_FREEDOM = 5.0  # heavy tails with a finite variance; 2 and 15 gave the same accuracy within the spread


@dataclass(frozen=True)
class TiedStudentMixtures(Mixtures):
    """b mixtures: log weights (b, k), means (b, k, d), shared `whitening` A (b, d, d) with scale matrix (A A')^-1, its log determinant (b,)."""

    log_weights: Array
    means: Array
    whitening: Array
    log_determinant: Array

    def distances(self, X: Array) -> Array:
        """Squared Mahalanobis distance of every component to every row of X (b, n, d): (b, k, n)."""
        xp = namespace(X)
        whitening = xp.asarray(self.whitening, dtype=X.dtype)
        white, centers = X @ whitening, xp.asarray(self.means, dtype=X.dtype) @ whitening  # b x n x d, b x k x d
        distance = centers @ white.mT
        distance *= -2
        distance += (centers**2).sum(axis=2)[:, :, None]
        distance += xp.einsum("bnd,bnd->bn", white, white)[:, None]
        return at_least(distance, 0, overwrite=True)

    def log_joint(self, distances: Array) -> Array:
        """Log p(x, component), (b, k, n), from `distances`."""
        return self._log_joint(distances + DEGREES_OF_FREEDOM)

    def _log_joint(self, shifted: Array) -> Array:
        """The same from distances plus the degrees of freedom nu: log(nu + D), which is faster than log1p(D / nu)."""
        xp = namespace(shifted)
        nu, d = DEGREES_OF_FREEDOM, self.means.shape[2]
        constant = gammaln((nu + d) / 2) - gammaln(nu / 2) - d / 2 * np.log(nu * np.pi) + (nu + d) / 2 * np.log(nu)
        offset = self.log_weights + (float(constant) - self.log_determinant / 2)[:, None]
        result = xp.log(shifted)
        result *= -(nu + d) / 2
        result += xp.asarray(offset, dtype=shifted.dtype)[:, :, None]
        return result

    def predict(self, X: Array) -> Array:
        """Most probable component of each row of X (b, n, d): int16, (b, n)."""
        xp = namespace(X)
        return xp.asarray(self.log_joint(self.distances(X)).argmax(axis=1), dtype=xp.int16)


class StudentSteps:
    """EM steps of tied Student mixtures of b data sets X (b, n, d), with weights of their own or equal ones.

    What is expected of a row is its responsibilities, and its precision if it belongs to a component: both (b, k, n).
    """

    def __init__(self, X: Array, *, equal_weights: bool = False) -> None:
        self.X = X
        self.floor = ridge(X)
        self._equal_weights = equal_weights

    @property
    def n_runs(self) -> int:
        """Number of data sets, b."""
        return len(self.X)

    def of(self, runs: np.ndarray) -> Self:
        """The same of some of the data sets, which may be repeated."""
        own = copy(self)
        own.X, own.floor = entries(self.X, runs), entries(self.floor, runs)
        return own

    def expect(self, mixtures: TiedStudentMixtures) -> tuple[Array, tuple[Array, Array]]:
        """Mean log-likelihoods (b,), responsibilities and precisions."""
        xp = namespace(self.X)
        _, n, d = self.X.shape
        shifted = mixtures.distances(self.X)
        shifted += DEGREES_OF_FREEDOM
        log_norm, responsibilities = normalize(mixtures._log_joint(shifted))
        precisions = (DEGREES_OF_FREEDOM + d) / shifted
        return log_norm.sum(axis=1, dtype=xp.float64) / n, (responsibilities, precisions)

    def maximize(self, expected: tuple[Array, Array]) -> TiedStudentMixtures:
        """Weights, means weighted by the precisions, and the shared scale matrix, `floor` on its diagonal."""
        responsibilities, precisions = expected
        xp = namespace(responsibilities)
        n = responsibilities.shape[2]
        weights = responsibilities.sum(axis=2, dtype=xp.float64) + TINY
        if self._equal_weights:
            weights = xp.ones_like(weights)
        weighted = responsibilities * precisions
        mass = weighted.sum(axis=2, dtype=xp.float64) + TINY
        means = xp.asarray(weighted @ self.X, dtype=xp.float64) / mass[:, :, None]  # b x k x d
        of_rows = (self.X * weighted.sum(axis=1)[:, :, None]).mT
        scatter = of_rows @ self.X - (means * mass[:, :, None]).mT @ means  # b x d x d, float64
        lower = factor(scatter / n, self.floor)
        return TiedStudentMixtures(
            log_weights=xp.log(weights / weights.sum(axis=1, keepdims=True)),
            means=means,
            whitening=xp.linalg.inv(lower).mT,
            log_determinant=2 * log_diagonal(lower),
        )
