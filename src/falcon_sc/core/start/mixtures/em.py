"""Expectation maximization, one loop for every kind of mixture, and what the kinds have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy.linalg import lapack

from falcon_sc.core.start.parallel import stop_if_unwanted
from falcon_sc.core.start.progress import fits_done

if TYPE_CHECKING:
    from collections.abc import Sequence

N_STEPS = 60  # EM steps at most
TOLERANCE = 1e-4  # stop when the mean log-likelihood (nats a cell) rises by less
N_SHORT = 5  # steps of the runs from several starts, of which the likeliest goes on
REGULARIZATION = 1e-3  # share of the mean column variance added to the diagonal of a covariance


class Steps[Mixture, Expected](Protocol):
    """The two steps of one kind of mixture on one data set."""

    def expect(self, mixture: Mixture) -> tuple[float, Expected]:
        """E step: the mean log-likelihood in nats a row, and what the M step needs, responsibilities (k x n) foremost."""

    def maximize(self, expected: Expected) -> Mixture:
        """M step: the mixture of largest expected log-likelihood."""


@dataclass(frozen=True)
class Run[Mixture, Expected]:
    """A mixture, the mean log-likelihood after each M step that led to it (`trace`), and what is `expected` under it."""

    mixture: Mixture
    trace: np.ndarray
    expected: Expected

    @property
    def log_likelihood(self) -> float:
        """Mean log-likelihood in nats a row."""
        return float(self.trace[-1])


def expectation_maximization[Mixture, Expected](
    steps: Steps[Mixture, Expected], expected: Expected, *, n_steps: int = N_STEPS, tolerance: float = TOLERANCE
) -> Run[Mixture, Expected]:
    """M and E steps in turn, from an expectation, until the likelihood rises by less than `tolerance`.

    The likelihood never falls but for the ridge.
    """
    trace: list[float] = []
    while True:
        stop_if_unwanted()
        mixture = steps.maximize(expected)
        log_likelihood, expected = steps.expect(mixture)
        trace.append(log_likelihood)
        if len(trace) == n_steps or (len(trace) > 1 and trace[-1] - trace[-2] < tolerance):
            fits_done()
            return Run(mixture, np.asarray(trace), expected)


def best_short_run[Mixture, Expected](
    steps: Steps[Mixture, Expected], starts: Sequence[Expected]
) -> Run[Mixture, Expected]:
    """The likeliest of short runs from several starts, worth going on with (Biernacki, Celeux and Govaert 2003)."""
    runs = [expectation_maximization(steps, start, n_steps=N_SHORT) for start in starts]
    return max(runs, key=lambda run: run.log_likelihood)


def one_hot(labels: np.ndarray, n_components: int, dtype: np.dtype) -> np.ndarray:
    """Responsibilities (k x n) that give each row to its label (n,)."""
    return np.asarray((labels == np.arange(n_components)[:, None]).astype(dtype))


def normalize(log_joint: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log-sum-exp over the components (n,) and responsibilities (k x n), which overwrite `log_joint`."""
    top = log_joint.max(axis=0)
    log_joint -= top
    np.exp(log_joint, out=log_joint)
    total = log_joint.sum(axis=0)
    log_joint /= total
    return np.log(total) + top, log_joint


def ridge(X: np.ndarray) -> float:
    """What is added to the diagonal of the covariance."""
    return REGULARIZATION * float(X.var(axis=0, dtype=np.float64).mean()) + 1e-12


def factor(covariance: np.ndarray, floor: float) -> np.ndarray:
    """Lower Cholesky factor (d, d) of the covariance (d, d, changed) with `floor` added to its diagonal.

    Cancellation (float32 input, k close to n) can leave an eigenvalue below the floor that it has by construction: then
    the eigenvalues are raised to it.
    """
    covariance.flat[:: len(covariance) + 1] += floor
    lower, failed = lapack.dpotrf(covariance, lower=1, clean=1)
    if not failed and lower.diagonal().min() ** 2 >= floor:
        return np.asarray(lower)
    values, vectors = np.linalg.eigh(covariance)
    return np.linalg.cholesky((vectors * np.maximum(values, floor)) @ vectors.T + 1e-9 * floor * np.eye(len(values)))
