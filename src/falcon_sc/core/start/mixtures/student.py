"""Mixtures of Student t distributions that share one scale matrix.

The Gaussian mixtures of :mod:`falcon_sc.core.start.mixtures.tied` spend components on a handful of outlying cells; heavy tails
take them in, and wide groups are split where the density is low. The two kinds err differently, so a consensus of both
is better than either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import lapack
from scipy.special import gammaln

from falcon_sc.core.start.mixtures.em import factor, normalize, ridge

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEGREES_OF_FREEDOM = 5.0  # heavy tails with a finite variance; 2 and 15 gave the same accuracy within the spread


@dataclass(frozen=True)
class TiedStudentMixture:
    """Log weights (k,), means (k, d), shared `whitening` A (d, d) with scale matrix (A A')^-1, and its log determinant."""

    log_weights: NDArray[np.float64]
    means: NDArray[np.float64]
    whitening: NDArray[np.float64]
    log_determinant: float
    degrees_of_freedom: float = DEGREES_OF_FREEDOM

    def distances(self, X: np.ndarray) -> np.ndarray:
        """Squared Mahalanobis distance of every component to every row of X, k x n."""
        whitening = self.whitening.astype(X.dtype)
        white, centers = X @ whitening, self.means.astype(X.dtype) @ whitening  # n x d, k x d
        squares = np.einsum("nd,nd->n", white, white) + np.einsum("kd,kd->k", centers, centers)[:, None]
        return np.asarray(np.maximum(squares - 2 * centers @ white.T, 0))

    def log_joint(self, distances: np.ndarray) -> np.ndarray:
        """Log p(x, component), k x n, from `distances`."""
        return self._log_joint(distances + distances.dtype.type(self.degrees_of_freedom))

    def _log_joint(self, shifted: np.ndarray) -> np.ndarray:
        """The same from distances plus the degrees of freedom nu: log(nu + D), which is faster than log1p(D / nu)."""
        nu, d = self.degrees_of_freedom, self.means.shape[1]
        constant = gammaln((nu + d) / 2) - gammaln(nu / 2) - d / 2 * np.log(nu * np.pi) - self.log_determinant / 2
        offset = (self.log_weights + constant + (nu + d) / 2 * np.log(nu)).astype(shifted.dtype)
        result = np.log(shifted)
        result *= shifted.dtype.type(-(nu + d) / 2)
        result += offset[:, None]
        return np.asarray(result)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Most probable component of each row of X (n x d), int16."""
        return self.log_joint(self.distances(X)).argmax(axis=0).astype(np.int16)


class StudentSteps:
    """EM steps of tied Student mixtures of the rows of X (n x d), with weights of their own or equal ones.

    What is expected of a row is its responsibilities, and its precision if it belongs to a component: both k x n.
    """

    def __init__(self, X: np.ndarray, *, equal_weights: bool = False) -> None:
        self.X = X
        self.floor = ridge(X)
        self._equal_weights = equal_weights

    def expect(self, mixture: TiedStudentMixture) -> tuple[float, tuple[np.ndarray, np.ndarray]]:
        """Mean log-likelihood, responsibilities and precisions."""
        nu = mixture.degrees_of_freedom
        shifted = mixture.distances(self.X)  # k x n
        shifted += shifted.dtype.type(nu)
        log_norm, responsibilities = normalize(mixture._log_joint(shifted))
        return float(log_norm.mean(dtype=np.float64)), (responsibilities, (nu + self.X.shape[1]) / shifted)

    def maximize(self, expected: tuple[np.ndarray, np.ndarray]) -> TiedStudentMixture:
        """Weights, means weighted by the precisions, and the shared scale matrix, `floor` on its diagonal."""
        responsibilities, precisions = expected
        tiny = 10 * np.finfo(np.float64).eps
        k, n = responsibilities.shape
        weights = np.ones(k) if self._equal_weights else responsibilities.sum(axis=1, dtype=np.float64) + tiny
        weighted = responsibilities * precisions
        mass = weighted.sum(axis=1, dtype=np.float64) + tiny
        means = (weighted @ self.X).astype(np.float64) / mass[:, None]  # k x d
        scatter = (self.X.T * weighted.sum(axis=0)) @ self.X - (means * mass[:, None]).T @ means  # d x d
        lower = factor(np.asarray(scatter, dtype=np.float64) / n, self.floor)
        return TiedStudentMixture(
            log_weights=np.log(weights / weights.sum()),
            means=means,
            whitening=lapack.dtrtri(lower, lower=1)[0].T,
            log_determinant=2 * float(np.log(lower.diagonal()).sum()),
        )
