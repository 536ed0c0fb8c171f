"""Mixtures of Student t distributions that share one scale matrix.

The Gaussian mixtures of :mod:`falcon_sc.core.start.mixtures.tied` spend components on a handful of outlying cells; heavy tails
take them in, and wide groups are split where the density is low. The two kinds err differently, so a consensus of both
is better than either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln

from falcon_sc.core.start.mixtures.kmeans import kmeans_labels
from falcon_sc.core.start.mixtures.tied import N_STEPS, TOLERANCE, normalise, ridge
from falcon_sc.core.start.parallel import stop_if_unwanted

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEGREES_OF_FREEDOM = 5.0  # ours; 2 and 15 gave the same accuracy within the spread


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
        white, centres = X @ whitening, self.means.astype(X.dtype) @ whitening
        squares = np.einsum("nd,nd->n", white, white) + np.einsum("kd,kd->k", centres, centres)[:, None]
        return np.asarray(np.maximum(squares - 2 * centres @ white.T, 0))

    def log_joint(self, distances: np.ndarray) -> np.ndarray:
        """Log p(x, component), k x n, from `distances`."""
        nu, d = self.degrees_of_freedom, self.means.shape[1]
        constant = gammaln((nu + d) / 2) - gammaln(nu / 2) - d / 2 * np.log(nu * np.pi) - self.log_determinant / 2
        offset = (self.log_weights + constant).astype(distances.dtype)
        return np.asarray(offset[:, None] - distances.dtype.type((nu + d) / 2) * np.log1p(distances / nu))

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Most probable component of each row of X (n x d), int16."""
        return self.log_joint(self.distances(X)).argmax(axis=0).astype(np.int16)


def fit_student_mixture(
    X: np.ndarray, n_components: int, rng: np.random.Generator, *, equal_weights: bool = False
) -> TiedStudentMixture:
    """EM from K-Means labels; X (n x d), columns about centred."""
    labels = kmeans_labels(X, n_components, rng)
    start = (labels == np.arange(n_components)[:, None]).astype(X.dtype)
    return expectation_maximisation(X, start, equal_weights=equal_weights)[0]


def expectation_maximisation(
    X: np.ndarray,
    responsibilities: np.ndarray,
    *,
    n_steps: int = N_STEPS,
    tolerance: float = TOLERANCE,
    equal_weights: bool = False,
) -> tuple[TiedStudentMixture, NDArray[np.float64]]:
    """EM from given responsibilities (k x n), with weights of their own or equal ones.

    Returns
    -------
    The mixture and the mean log-likelihood after each M step, which never falls but for the ridge.
    """
    floor = ridge(X)
    mixture = maximise(X, responsibilities, np.ones_like(responsibilities), floor, equal_weights=equal_weights)
    trace: list[float] = []
    for step in range(n_steps):
        stop_if_unwanted()
        distances = mixture.distances(X)
        log_norm, responsibilities = normalise(mixture.log_joint(distances))
        trace.append(float(log_norm.mean(dtype=np.float64)))
        if step == n_steps - 1 or (step > 0 and trace[-1] - trace[-2] < tolerance):
            break
        nu = mixture.degrees_of_freedom
        scales = (nu + X.shape[1]) / (nu + distances)  # expected precision of a row, if it belongs to the component
        mixture = maximise(X, responsibilities, scales, floor, equal_weights=equal_weights)
    return mixture, np.asarray(trace)


def maximise(
    X: np.ndarray, responsibilities: np.ndarray, scales: np.ndarray, floor: float, *, equal_weights: bool = False
) -> TiedStudentMixture:
    """M step: weights, means weighted by `scales` (k x n), and the shared scale matrix, `floor` on its diagonal.

    The weights are the shares of the rows, or with `equal_weights` 1/k.
    """
    tiny = 10 * np.finfo(np.float64).eps
    k = len(responsibilities)
    weights = np.ones(k) if equal_weights else responsibilities.sum(axis=1, dtype=np.float64) + tiny
    weighted = responsibilities * scales
    mass = weighted.sum(axis=1, dtype=np.float64) + tiny
    means = (weighted @ X).astype(np.float64) / mass[:, None]
    scatter = (X.T * weighted.sum(axis=0)) @ X - (means * mass[:, None]).T @ means
    scatter = np.asarray(scatter, dtype=np.float64) / len(X)
    scatter.flat[:: X.shape[1] + 1] += floor
    values, vectors = np.linalg.eigh(scatter)
    values = np.maximum(values, floor)  # cancellation can leave an eigenvalue below the ridge
    return TiedStudentMixture(
        log_weights=np.log(weights / weights.sum()),
        means=means,
        whitening=vectors / np.sqrt(values),
        log_determinant=float(np.log(values).sum()),
    )
