"""Mixtures of Student t distributions that share one scale matrix.

The Gaussian mixtures of :mod:`falcon_sc.core.start.mixtures.tied` spend components on a handful of outlying cells; heavy tails
take them in, and wide groups are split where the density is low. The two kinds err differently, so a consensus of both
is better than either.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import gammaln

from falcon_sc.core.start.mixtures.em import TINY, Mixtures, factor, log_diagonal, normalize, ridge

DEGREES_OF_FREEDOM = 5.0  # heavy tails with a finite variance; 2 and 15 gave the same accuracy within the spread


@dataclass(frozen=True)
class TiedStudentMixtures(Mixtures):
    """b mixtures: log weights (b, k), means (b, k, d), shared `whitening` A (b, d, d) with scale matrix (A A')^-1, its log determinant (b,)."""

    log_weights: np.ndarray
    means: np.ndarray
    whitening: np.ndarray
    log_determinant: np.ndarray

    def distances(self, X: np.ndarray) -> np.ndarray:
        """Squared Mahalanobis distance of every component to every row of X (b, n, d): (b, k, n)."""
        whitening = np.asarray(self.whitening, dtype=X.dtype)
        white, centers = X @ whitening, np.asarray(self.means, dtype=X.dtype) @ whitening  # b x n x d, b x k x d
        distance: np.ndarray = centers @ white.mT
        distance *= -2
        distance += (centers**2).sum(axis=2)[:, :, None]
        distance += np.einsum("bnd,bnd->bn", white, white)[:, None]
        return np.asarray(np.maximum(distance, 0, out=distance))

    def log_joint(self, distances: np.ndarray) -> np.ndarray:
        """Log p(x, component), (b, k, n), from `distances`."""
        return self._log_joint(distances + DEGREES_OF_FREEDOM)

    def _log_joint(self, shifted: np.ndarray) -> np.ndarray:
        """The same from distances plus the degrees of freedom nu: log(nu + D), which is faster than log1p(D / nu)."""
        nu, d = DEGREES_OF_FREEDOM, self.means.shape[2]
        constant = gammaln((nu + d) / 2) - gammaln(nu / 2) - d / 2 * np.log(nu * np.pi) + (nu + d) / 2 * np.log(nu)
        offset = self.log_weights + (float(constant) - self.log_determinant / 2)[:, None]
        result = np.log(shifted)
        result *= -(nu + d) / 2
        result += np.asarray(offset, dtype=shifted.dtype)[:, :, None]
        return result

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Most probable component of each row of X (b, n, d): int16, (b, n)."""
        return np.asarray(self.log_joint(self.distances(X)).argmax(axis=1), dtype=np.int16)


class StudentSteps:
    """EM steps of tied Student mixtures of b data sets X (b, n, d), with weights of their own or equal ones.

    What is expected of a row is its responsibilities, and its precision if it belongs to a component: both (b, k, n).
    """

    def __init__(self, X: np.ndarray, *, equal_weights: bool = False) -> None:
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
        own.X, own.floor = self.X[runs], self.floor[runs]
        return own

    def expect(self, mixtures: TiedStudentMixtures) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Mean log-likelihoods (b,), responsibilities and precisions."""
        _, n, d = self.X.shape
        shifted = mixtures.distances(self.X)
        shifted += DEGREES_OF_FREEDOM
        log_norm, responsibilities = normalize(mixtures._log_joint(shifted))
        precisions = (DEGREES_OF_FREEDOM + d) / shifted
        return log_norm.sum(axis=1, dtype=np.float64) / n, (responsibilities, precisions)

    def maximize(self, expected: tuple[np.ndarray, np.ndarray]) -> TiedStudentMixtures:
        """Weights, means weighted by the precisions, and the shared scale matrix, `floor` on its diagonal."""
        responsibilities, precisions = expected
        n = responsibilities.shape[2]
        weights = responsibilities.sum(axis=2, dtype=np.float64) + TINY
        if self._equal_weights:
            weights = np.ones_like(weights)
        weighted = responsibilities * precisions
        mass = weighted.sum(axis=2, dtype=np.float64) + TINY
        means = np.asarray(weighted @ self.X, dtype=np.float64) / mass[:, :, None]  # b x k x d
        of_rows = (self.X * weighted.sum(axis=1)[:, :, None]).mT
        scatter = of_rows @ self.X - (means * mass[:, :, None]).mT @ means  # b x d x d, float64
        lower = factor(scatter / n, self.floor)
        return TiedStudentMixtures(
            log_weights=np.log(weights / weights.sum(axis=1, keepdims=True)),
            means=means,
            whitening=np.linalg.inv(lower).mT,
            log_determinant=2 * log_diagonal(lower),
        )
