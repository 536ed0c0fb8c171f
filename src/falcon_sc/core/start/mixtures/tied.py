"""Gaussian mixtures whose components share one covariance ("tied"), swept over the number of components.

With a shared precision ``P`` the term ``x' P x`` is the same for every component, so it cancels in the
responsibilities: an E step is one matrix product ``X (P M')``, and the mean log-likelihood needs only the second
moment of the data, which never changes. That makes the sweep over many component counts cheap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.start.mixtures.kmeans import kmeans_labels
from falcon_sc.core.start.parallel import stop_if_unwanted

if TYPE_CHECKING:
    from collections.abc import Iterable

N_STEPS = 60  # EM steps at most
TOLERANCE = 1e-4  # stop when the mean log-likelihood (nats a cell) rises by less
REGULARISATION = 1e-3  # share of the mean column variance added to the diagonal of the covariance
N_STARTS = 2  # from K-Means, of which the likeliest mixture is kept; half as many above `ALL_STARTS_UP_TO`
ALL_STARTS_UP_TO = 12  # components; above it the starts differ little
SWEEP_STARTS = 4  # where likelihoods are compared between numbers of components: a poor optimum would decide


@dataclass(frozen=True)
class TiedMixture:
    """A fitted mixture: log weights (k,), means (k, d), shared precision (d, d) and its log determinant."""

    log_weights: np.ndarray
    means: np.ndarray
    precision: np.ndarray
    log_determinant: float

    def relative_log_joint(self, X: np.ndarray) -> np.ndarray:
        """Joint log p(x, component) + x'Px/2 + const, k x n: enough to compare components for one x."""
        projected = self.means @ self.precision
        offset = self.log_weights - 0.5 * np.einsum("kd,kd->k", projected, self.means)
        return np.asarray(projected.astype(X.dtype) @ X.T + offset[:, None].astype(X.dtype))

    def log_likelihood(self, X: np.ndarray) -> float:
        """Mean log-likelihood in nats a sample."""
        log_norm, _ = normalise(self.relative_log_joint(X))
        return self._absolute(log_norm, second_moment(X))

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Most probable component of each row of X (n x d), int16."""
        return self.relative_log_joint(X).argmax(axis=0).astype(np.int16)

    def _absolute(self, log_norm: np.ndarray, moment: np.ndarray) -> float:
        common = np.sum(self.precision * moment) + len(moment) * np.log(2 * np.pi) - self.log_determinant
        return float(log_norm.mean(dtype=np.float64) - 0.5 * common)


@dataclass(frozen=True)
class Sweep:
    """Mixtures of one view for several component counts: mean log-likelihood, models.

    `merged`: whether a mixture was reached by merging components of a larger one, bool (len(ks),).
    """

    ks: np.ndarray
    log_likelihood: np.ndarray
    mixtures: tuple[TiedMixture, ...]
    merged: np.ndarray


def second_moment(X: np.ndarray) -> np.ndarray:
    """X'X / n in float64."""
    return np.asarray((X.T @ X).astype(np.float64) / X.shape[0])


def normalise(log_joint: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log-sum-exp over the components (n,) and responsibilities (k x n), which overwrite `log_joint`."""
    top = log_joint.max(axis=0)
    log_joint -= top
    np.exp(log_joint, out=log_joint)
    total = log_joint.sum(axis=0)
    log_joint /= total
    return np.log(total) + top, log_joint


def maximise(
    X: np.ndarray,
    responsibilities: np.ndarray,
    moment: np.ndarray,
    ridge: float,
    *,
    equal_weights: bool = False,
    spherical: bool = False,
) -> TiedMixture:
    """M step: weights, means and the shared covariance ``X'X/n - sum_k s_k m_k m_k' + ridge I``.

    The weights are the shares s_k of the rows, or with `equal_weights` 1/k. With `spherical` the covariance is the
    mean of its diagonal times I: both together make K-Means with soft borders.
    """
    mass = responsibilities.sum(axis=1, dtype=np.float64) + 10 * np.finfo(np.float64).eps
    means = (responsibilities @ X).astype(np.float64) / mass[:, None]
    shares = mass / mass.sum()
    covariance = moment - (means * shares[:, None]).T @ means
    if spherical:
        covariance = np.eye(len(covariance)) * (np.trace(covariance) / len(covariance))
    covariance.flat[:: X.shape[1] + 1] += ridge
    values, vectors = np.linalg.eigh(covariance)
    # Cancellation (float32 input, k close to n) can leave an eigenvalue below the ridge, its floor by construction.
    values = np.maximum(values, ridge)
    precision = (vectors / values) @ vectors.T
    weights = np.full_like(shares, 1 / len(shares)) if equal_weights else shares
    return TiedMixture(np.log(weights), means, precision, float(-np.log(values).sum()))


def expectation_maximisation(
    X: np.ndarray,
    responsibilities: np.ndarray,
    *,
    ridge: float,
    n_steps: int = N_STEPS,
    tolerance: float = TOLERANCE,
    equal_weights: bool = False,
    spherical: bool = False,
) -> tuple[TiedMixture, np.ndarray]:
    """EM from given responsibilities (k x n), constrained as :func:`maximise` is.

    Returns
    -------
    The mixture and the mean log-likelihood after each M step.
    """
    moment = second_moment(X)
    mixture = maximise(X, responsibilities, moment, ridge, equal_weights=equal_weights, spherical=spherical)
    trace: list[float] = []
    for step in range(n_steps):
        stop_if_unwanted()
        log_norm, responsibilities = normalise(mixture.relative_log_joint(X))
        trace.append(mixture._absolute(log_norm, moment))
        if step == n_steps - 1 or (step > 0 and trace[-1] - trace[-2] < tolerance):
            break
        mixture = maximise(X, responsibilities, moment, ridge, equal_weights=equal_weights, spherical=spherical)
    return mixture, np.asarray(trace)


def fit_mixture(
    X: np.ndarray,
    n_components: int,
    rng: np.random.Generator,
    *,
    n_starts: int = N_STARTS,
    equal_weights: bool = False,
    spherical: bool = False,
) -> tuple[TiedMixture, float]:
    """Best of some mixtures started from K-Means labels, and its mean log-likelihood; constrained as `maximise` is."""
    n_starts = 1 if n_components == 1 else n_starts if n_components <= ALL_STARTS_UP_TO else n_starts // 2
    n_init = 1 if n_starts > 1 else 2
    labels = [kmeans_labels(X, n_components, rng, n_init=n_init) for _ in range(n_starts)]
    starts = [(own == np.arange(n_components)[:, None]).astype(X.dtype) for own in labels]
    fits = [
        expectation_maximisation(X, start, ridge=ridge(X), equal_weights=equal_weights, spherical=spherical)
        for start in starts
    ]
    mixture, trace = max(fits, key=lambda fit: float(fit[1][-1]))
    return mixture, float(trace[-1])


def ridge(X: np.ndarray) -> float:
    """What is added to the diagonal of the covariance."""
    return REGULARISATION * float(X.var(axis=0, dtype=np.float64).mean()) + 1e-12


def sweep_mixtures(X: np.ndarray, ks: Iterable[int], rng: np.random.Generator) -> Sweep:
    """Fit a tied mixture for every component count in `ks` on X (n x d, columns about centred)."""
    counts = np.asarray(list(ks), dtype=np.int64)
    return collect(counts, [fit_mixture(X, int(k), rng, n_starts=SWEEP_STARTS) for k in counts])


def collect(ks: np.ndarray, fits: list[tuple[TiedMixture, float]]) -> Sweep:
    """Sweep of fitted mixtures, one for each of `ks`."""
    return Sweep(
        ks=ks,
        log_likelihood=np.array([likelihood for _, likelihood in fits]),
        mixtures=tuple(mixture for mixture, _ in fits),
        merged=np.zeros(len(ks), dtype=bool),
    )
