"""Gaussian mixtures whose components share one covariance ("tied"), swept over the number of components.

With a shared precision ``P`` the term ``x' P x`` is the same for every component, so it cancels in the
responsibilities: an E step is one matrix product ``X (P M')``, and the mean log-likelihood needs only the second
moment of the data, which never changes. That makes the sweep over many component counts cheap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.kmeans import kmeans_labels

if TYPE_CHECKING:
    from collections.abc import Iterable

N_STEPS = 60  # EM steps at most
TOLERANCE = 1e-5  # stop when the mean log-likelihood (nats a cell) rises by less
REGULARISATION = 1e-3  # share of the mean column variance added to the diagonal of the covariance
MERGED_MARGIN = 0.3  # nats a cell by which a merged start must beat K-Means: small gains only find outliers
STEPS_ABOVE = 8  # components above the largest count asked for, where the merging begins
TWO_STARTS_UP_TO = 12  # components; above it the starts differ little and one is kept


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
    """Mixtures of one view for several component counts: mean log-likelihood, labels (len(ks), n) int16, models."""

    ks: np.ndarray
    log_likelihood: np.ndarray
    labels: np.ndarray
    mixtures: tuple[TiedMixture, ...]


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


def maximise(X: np.ndarray, responsibilities: np.ndarray, moment: np.ndarray, ridge: float) -> TiedMixture:
    """M step: weights, means and the shared covariance ``X'X/n - sum_k w_k m_k m_k' + ridge I``."""
    mass = responsibilities.sum(axis=1, dtype=np.float64) + 10 * np.finfo(np.float64).eps
    means = (responsibilities @ X).astype(np.float64) / mass[:, None]
    weights = mass / mass.sum()
    covariance = moment - (means * weights[:, None]).T @ means
    covariance.flat[:: X.shape[1] + 1] += ridge
    values, vectors = np.linalg.eigh(covariance)
    # Cancellation (float32 input, k close to n) can leave an eigenvalue below the ridge, its floor by construction.
    values = np.maximum(values, ridge)
    precision = (vectors / values) @ vectors.T
    return TiedMixture(np.log(weights), means, precision, float(-np.log(values).sum()))


def expectation_maximisation(
    X: np.ndarray, responsibilities: np.ndarray, *, ridge: float, n_steps: int = N_STEPS, tolerance: float = TOLERANCE
) -> tuple[TiedMixture, np.ndarray]:
    """EM from given responsibilities (k x n).

    Returns
    -------
    The mixture and the mean log-likelihood after each M step.
    """
    moment = second_moment(X)
    mixture = maximise(X, responsibilities, moment, ridge)
    trace: list[float] = []
    for step in range(n_steps):
        log_norm, responsibilities = normalise(mixture.relative_log_joint(X))
        trace.append(mixture._absolute(log_norm, moment))
        if step == n_steps - 1 or (step > 0 and trace[-1] - trace[-2] < tolerance):
            break
        mixture = maximise(X, responsibilities, moment, ridge)
    return mixture, np.asarray(trace)


def merge_closest(mixture: TiedMixture, responsibilities: np.ndarray) -> np.ndarray:
    """Responsibilities (k - 1 x n) after merging the two components whose union costs least likelihood.

    With hard assignments a merge of a and b (weights w, squared Mahalanobis distance D) adds
    ``w_a w_b / (w_a + w_b) dd'`` to the shared covariance, so the log-likelihood falls by
    ``log(1 + D w_a w_b / (w_a + w_b)) / 2``, and the entropy of the weights that is saved raises it.
    """
    weights = np.exp(mixture.log_weights)
    projected = mixture.means @ mixture.precision
    norms = np.einsum("kd,kd->k", projected, mixture.means)
    distance = np.maximum(norms[:, None] + norms - 2 * projected @ mixture.means.T, 0)
    union = weights[:, None] + weights
    own = weights * mixture.log_weights
    saved = union * np.log(union) - own[:, None] - own
    cost = 0.5 * np.log1p(distance * weights[:, None] * weights / union) - saved
    np.fill_diagonal(cost, np.inf)
    small = weights < smallest_weight(responsibilities.shape[1])
    if small.any():  # outliers go first: they would cost most, and a class of outliers is of no use
        cost[~small] = np.inf
    first, second = sorted(np.unravel_index(int(cost.argmin()), cost.shape))
    merged = np.delete(responsibilities, second, axis=0)
    merged[first] += responsibilities[second]
    return merged


def smallest_weight(n: int) -> float:
    """Smallest weight of a component that a merge keeps: 2 % of the cells, at least five of them."""
    return max(0.02, 5 / n)


def fit_mixture(
    X: np.ndarray, n_components: int, rng: np.random.Generator, larger: TiedMixture | None = None
) -> tuple[TiedMixture, float]:
    """Best of the K-Means starts, or the start merged from `larger` where it is far better; mean log-likelihood.

    K-Means splits wide groups evenly and misses small distinct ones, which merging down from one component more
    finds; where the two differ little, the even groups are the safer ones (merging then isolates outliers).
    """
    n_starts = 1 if n_components == 1 or n_components > TWO_STARTS_UP_TO else 2
    labels = [kmeans_labels(X, n_components, rng, n_init=3 - n_starts) for _ in range(n_starts)]
    starts = [(own == np.arange(n_components)[:, None]).astype(X.dtype) for own in labels]
    fits = [expectation_maximisation(X, start, ridge=_ridge(X)) for start in starts]
    best = max(fits, key=_final)
    if larger is not None and n_components > 1:
        merged = fit_merged(X, larger)
        large_enough = np.exp(merged[0].log_weights).min() >= smallest_weight(len(X))
        if large_enough and _final(merged) > _final(best) + MERGED_MARGIN:
            best = merged
    return best[0], _final(best)


def fit_merged(X: np.ndarray, larger: TiedMixture) -> tuple[TiedMixture, np.ndarray]:
    """EM with one component less than `larger`, started by merging two of its components."""
    start = merge_closest(larger, normalise(larger.relative_log_joint(X))[1])
    return expectation_maximisation(X, start, ridge=_ridge(X))


def _ridge(X: np.ndarray) -> float:
    return REGULARISATION * float(X.var(axis=0, dtype=np.float64).mean()) + 1e-12


def _final(fit: tuple[TiedMixture, np.ndarray]) -> float:
    return float(fit[1][-1])


def sweep_mixtures(X: np.ndarray, ks: Iterable[int], rng: np.random.Generator) -> Sweep:
    """Fit a tied mixture for every component count in `ks` on X (n x d, columns about centred), largest first.

    The sweep begins `STEPS_ABOVE` components above the largest count (at most n / 4 then) and merges down from there.
    """
    counts = np.asarray(list(ks), dtype=np.int64)
    largest = int(counts.max())
    top = max(largest, min(largest + STEPS_ABOVE, len(X) // 4))
    larger, value = fit_mixture(X, top, rng)
    fits = {top: (larger, value)}
    for k in range(top - 1, int(counts.min()) - 1, -1):
        if k > largest:  # only passed through
            larger = fit_merged(X, larger)[0]
        else:
            fits[k] = fit_mixture(X, k, rng, larger)
            larger = fits[k][0]
    chosen = [fits[int(k)] for k in counts]
    return Sweep(
        ks=counts,
        log_likelihood=np.array([likelihood for _, likelihood in chosen]),
        labels=np.stack([mixture.predict(X) for mixture, _ in chosen]),
        mixtures=tuple(mixture for mixture, _ in chosen),
    )
