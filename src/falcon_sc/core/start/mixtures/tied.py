"""Gaussian mixtures whose components share one covariance ("tied"), swept over the number of components.

With a shared precision ``P`` the term ``x' P x`` is the same for every component, so it cancels in the
responsibilities: an E step is one matrix product ``X (P M')``, and the mean log-likelihood needs only the second
moment of the data, which never changes. That makes the sweep over many component counts cheap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.start.mixtures.em import expectation_maximization, normalize, one_hot, ridge, spectrum
from falcon_sc.core.start.mixtures.kmeans import kmeans_labels

if TYPE_CHECKING:
    from collections.abc import Iterable

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
        projected = self.means @ self.precision  # k x d
        offset = self.log_weights - 0.5 * np.einsum("kd,kd->k", projected, self.means)
        return np.asarray(projected.astype(X.dtype) @ X.T + offset[:, None].astype(X.dtype))  # k x n

    def log_likelihood(self, X: np.ndarray) -> float:
        """Mean log-likelihood in nats a sample."""
        log_norm, _ = normalize(self.relative_log_joint(X))
        return self.absolute(log_norm, second_moment(X))

    def absolute(self, log_norm: np.ndarray, moment: np.ndarray) -> float:
        """Mean log-likelihood, from the log norms (n,) of `relative_log_joint` and the `second_moment` of the rows."""
        common = np.sum(self.precision * moment) + len(moment) * np.log(2 * np.pi) - self.log_determinant
        return float(log_norm.mean(dtype=np.float64) - 0.5 * common)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Most probable component of each row of X (n x d), int16."""
        return self.relative_log_joint(X).argmax(axis=0).astype(np.int16)


@dataclass(frozen=True)
class Sweep:
    """Mixtures of one representation for several component counts: mean log-likelihood, models.

    `merged`: whether a mixture was reached by merging components of a larger one, bool (len(ks),).
    """

    ks: np.ndarray
    log_likelihood: np.ndarray
    mixtures: tuple[TiedMixture, ...]
    merged: np.ndarray


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
        mass = expected.sum(axis=1, dtype=np.float64) + 10 * np.finfo(np.float64).eps
        means = (expected @ self.X).astype(np.float64) / mass[:, None]  # k x d
        shares = mass / mass.sum()
        covariance = self._moment - (means * shares[:, None]).T @ means  # d x d
        if self._spherical:
            covariance = np.eye(len(covariance)) * (np.trace(covariance) / len(covariance))
        values, vectors = spectrum(covariance, self.floor)
        precision = (vectors / values) @ vectors.T
        weights = np.full_like(shares, 1 / len(shares)) if self._equal_weights else shares
        return TiedMixture(np.log(weights), means, precision, float(-np.log(values).sum()))


def fit_mixture(
    X: np.ndarray,
    n_components: int,
    rng: np.random.Generator,
    *,
    n_starts: int = N_STARTS,
    equal_weights: bool = False,
    spherical: bool = False,
) -> tuple[TiedMixture, float]:
    """Best of some mixtures started from K-Means labels, and its mean log-likelihood; constrained as `TiedSteps` says."""
    n_starts = 1 if n_components == 1 else n_starts if n_components <= ALL_STARTS_UP_TO else n_starts // 2
    n_init = 1 if n_starts > 1 else 2
    steps = TiedSteps(X, equal_weights=equal_weights, spherical=spherical)
    starts = [kmeans_labels(X, n_components, rng, n_init=n_init) for _ in range(n_starts)]
    fits = [expectation_maximization(steps, one_hot(labels, n_components, X.dtype)) for labels in starts]
    mixture, trace = max(fits, key=lambda fit: float(fit[1][-1]))
    return mixture, float(trace[-1])


def sweep_mixtures(X: np.ndarray, ks: Iterable[int], rng: np.random.Generator) -> Sweep:
    """Fit a tied mixture for every component count in `ks` on X (n x d, columns about centered)."""
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
