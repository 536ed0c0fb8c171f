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

from falcon_sc.core.start.mixtures.em import Mixtures, factor, log_diagonal, normalize, ridge

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEGREES_OF_FREEDOM = 5.0  # heavy tails with a finite variance; 2 and 15 gave the same accuracy within the spread


@dataclass(frozen=True)
class TiedStudentMixtures(Mixtures):
    """b mixtures: log weights (b, k), means (b, k, d), shared `whitening` A (b, d, d) with scale matrix (A A')^-1, its log determinant (b,)."""

    log_weights: NDArray[np.float64]
    means: NDArray[np.float64]
    whitening: NDArray[np.float64]
    log_determinant: NDArray[np.float64]

    def distances(self, X: np.ndarray) -> np.ndarray:
        """Squared Mahalanobis distance of every component to every row of X (b, n, d): (b, k, n)."""
        whitening = self.whitening.astype(X.dtype)
        white, centers = X @ whitening, self.means.astype(X.dtype) @ whitening  # b x n x d, b x k x d
        distance = centers @ white.transpose(0, 2, 1)
        distance *= -2
        distance += (centers**2).sum(axis=2)[:, :, None]
        distance += np.einsum("bnd,bnd->bn", white, white)[:, None]
        return np.asarray(np.maximum(distance, 0, out=distance))

    def log_joint(self, distances: np.ndarray) -> np.ndarray:
        """Log p(x, component), (b, k, n), from `distances`."""
        return self._log_joint(distances + distances.dtype.type(DEGREES_OF_FREEDOM))

    def _log_joint(self, shifted: np.ndarray) -> np.ndarray:
        """The same from distances plus the degrees of freedom nu: log(nu + D), which is faster than log1p(D / nu)."""
        nu, d = DEGREES_OF_FREEDOM, self.means.shape[2]
        constant = gammaln((nu + d) / 2) - gammaln(nu / 2) - d / 2 * np.log(nu * np.pi) + (nu + d) / 2 * np.log(nu)
        offset = (self.log_weights + (constant - self.log_determinant / 2)[:, None]).astype(shifted.dtype)
        result = np.log(shifted)
        result *= shifted.dtype.type(-(nu + d) / 2)
        result += offset[:, :, None]
        return np.asarray(result)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Most probable component of each row of X (b, n, d): int16, (b, n)."""
        return self.log_joint(self.distances(X)).argmax(axis=1).astype(np.int16)


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
        nu = DEGREES_OF_FREEDOM
        shifted = mixtures.distances(self.X)
        shifted += shifted.dtype.type(nu)
        log_norm, responsibilities = normalize(mixtures._log_joint(shifted))
        precisions = np.divide(shifted.dtype.type(nu + self.X.shape[2]), shifted, out=shifted)
        return log_norm.mean(axis=1, dtype=np.float64), (responsibilities, precisions)

    def maximize(self, expected: tuple[np.ndarray, np.ndarray]) -> TiedStudentMixtures:
        """Weights, means weighted by the precisions, and the shared scale matrix, `floor` on its diagonal."""
        responsibilities, precisions = expected
        tiny = 10 * np.finfo(np.float64).eps
        b, k, n = responsibilities.shape
        weights = np.ones((b, k)) if self._equal_weights else responsibilities.sum(axis=2, dtype=np.float64) + tiny
        weighted = responsibilities * precisions
        mass = weighted.sum(axis=2, dtype=np.float64) + tiny
        means = (weighted @ self.X).astype(np.float64) / mass[:, :, None]  # b x k x d
        of_rows = (self.X * weighted.sum(axis=1)[:, :, None]).transpose(0, 2, 1)
        scatter = of_rows @ self.X - (means * mass[:, :, None]).transpose(0, 2, 1) @ means  # b x d x d
        lower = factor(np.asarray(scatter, dtype=np.float64) / n, self.floor)
        return TiedStudentMixtures(
            log_weights=np.log(weights / weights.sum(axis=1, keepdims=True)),
            means=means,
            whitening=np.linalg.inv(lower).transpose(0, 2, 1),
            log_determinant=2 * log_diagonal(lower),
        )
