"""Expectation maximization, one loop for every kind of mixture, and what the kinds have in common.

Many runs go at once: b data sets of one shape, or one data set from b starts, in arrays whose first axis is the run. The
steps are then a few products of stacks of small matrices; of a few hundred cells, run after run would spend most of its
time between them. A run gives the same numbers whichever others go beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

import numpy as np

from falcon_sc.core.start.parallel import stop_if_unwanted
from falcon_sc.core.start.progress import fits_done

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

AT_ONCE = 2**18  # responsibilities of all runs of a batch, at most: a megabyte, which stays in the cache
N_STEPS = 60  # EM steps at most
TOLERANCE = 1e-3  # stop when the mean log-likelihood (nats a cell) rises by less
N_SHORT = 5  # steps of the runs from several starts, of which the likeliest goes on
REGULARIZATION = 1e-3  # share of the mean column variance added to the diagonal of a covariance
TINY = 10 * float(np.finfo(np.float64).eps)  # keeps a component without rows from a division by zero

type Expected = np.ndarray | tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Mixtures:
    """Parameters of b fitted mixtures: arrays whose first axis is the run."""

    def of(self, runs: np.ndarray) -> Self:
        """Those of some runs."""
        return replace(self, **{field.name: getattr(self, field.name)[runs] for field in fields(self)})


class Steps[M: Mixtures, E: Expected](Protocol):
    """The two steps of one kind of mixture on b data sets; `n_runs` is b."""

    @property
    def n_runs(self) -> int:
        """Number of data sets."""

    def of(self, runs: np.ndarray) -> Self:
        """The same of some of the data sets, which may be repeated."""

    def expect(self, mixtures: M) -> tuple[np.ndarray, E]:
        """E step: the mean log-likelihoods in nats a row (b,), and what the M step needs, responsibilities (b, k, n) foremost."""

    def maximize(self, expected: E) -> M:
        """M step: the mixtures of largest expected log-likelihood."""


@dataclass(frozen=True)
class Runs[M: Mixtures, E: Expected]:
    """Mixtures, what is `expected` under them, and the mean log-likelihood after each M step: `trace`, (b, steps), then NaN."""

    mixtures: M
    expected: E
    trace: np.ndarray

    @property
    def log_likelihood(self) -> NDArray[np.float64]:
        """Mean log-likelihood in nats a row, after the last step of each run (b,)."""
        last = (~np.isnan(self.trace)).sum(axis=1) - 1
        return np.asarray(self.trace[np.arange(len(last)), last])


def expectation_maximization[M: Mixtures, E: Expected](
    steps: Steps[M, E], expected: E, *, n_steps: int = N_STEPS, tolerance: float = TOLERANCE
) -> Runs[M, E]:
    """M and E steps in turn, from an expectation, until the likelihood of a run rises by less than `tolerance`.

    The likelihood never falls but for the ridge.
    """
    trace = np.full((steps.n_runs, n_steps), np.nan)
    going = np.arange(steps.n_runs)  # the runs that `steps` holds
    ended = np.zeros(steps.n_runs, dtype=bool)  # which of them are over
    previous = np.full(steps.n_runs, -np.inf)
    results: list[tuple[np.ndarray, M, E]] = []
    for step in range(n_steps):
        stop_if_unwanted()
        mixtures = steps.maximize(expected)
        log_likelihood, expected = steps.expect(mixtures)
        trace[going, step] = np.where(ended, np.nan, log_likelihood)
        over = (log_likelihood - previous < tolerance) if step < n_steps - 1 else np.ones(len(going), dtype=bool)
        previous = log_likelihood
        now = np.flatnonzero(over & ~ended)
        if len(now) == 0:
            continue
        fits_done(len(now))
        results.append((going[now], mixtures.of(now), of_runs(expected, now)))
        ended[now] = True
        if ended.all():
            break
        if 4 * ended.sum() >= len(ended):  # not after each run that ends: what goes on is copied
            on = np.flatnonzero(~ended)
            steps, expected = steps.of(on), of_runs(expected, on)
            going, ended, previous = going[on], ended[on], previous[on]
    order = np.argsort(np.concatenate([runs for runs, _, _ in results]))
    mixtures = _joined([own for _, own, _ in results]).of(order)
    return Runs(mixtures, of_runs(_stacked([own for _, _, own in results]), order), trace)


def likeliest_starts[M: Mixtures, E: Expected](steps: Steps[M, E], starts: E, n_starts: int) -> E:
    """What is expected under the likeliest of every `n_starts` runs that follow each other, after a few steps of each.

    That one is worth going on with (Biernacki, Celeux and Govaert 2003).
    """
    short = expectation_maximization(steps, starts, n_steps=N_SHORT)
    best = short.log_likelihood.reshape(-1, n_starts).argmax(axis=1)
    runs = np.arange(len(best)) * n_starts + best
    return of_runs(short.expected, runs)


def likelier[M: Mixtures, E: Expected](one: Runs[M, E], other: Runs[M, E]) -> Runs[M, E]:
    """Of two runs on each data set the likelier one."""
    n_runs = len(one.trace)
    chosen = np.arange(n_runs) + n_runs * (other.log_likelihood > one.log_likelihood)
    return Runs(
        _joined([one.mixtures, other.mixtures]).of(chosen),
        of_runs(_stacked([one.expected, other.expected]), chosen),
        np.concatenate([one.trace, other.trace])[chosen],
    )


def of_runs[E: Expected](expected: E, runs: np.ndarray) -> E:
    """What is expected of some runs."""
    return _each([expected], lambda parts: parts[0][runs])


def _stacked[E: Expected](parts: Sequence[E]) -> E:
    return _each(parts, _concatenated)


def _concatenated(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts)


def _each[E: Expected](several: Sequence[E], change: Callable[[Sequence[np.ndarray]], np.ndarray]) -> E:
    """Change arrays, or each of the arrays of tuples, into one."""
    if isinstance(several[0], tuple):
        return cast("E", tuple(change(parts) for parts in zip(*several, strict=True)))
    return cast("E", change(cast("Sequence[np.ndarray]", several)))


def _joined[M: Mixtures](parts: Sequence[M]) -> M:
    names = [field.name for field in fields(parts[0])]
    return replace(parts[0], **{name: _concatenated([getattr(own, name) for own in parts]) for name in names})


def batches(matrices: Sequence[np.ndarray], n_components: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Indices of matrices that go together, and these matrices as one stack (b, n, d).

    They have one shape, and as many go at once as there may be responsibilities for `n_components`.
    """
    shapes = np.array([matrix.shape for matrix in matrices])
    for shape in np.unique(shapes, axis=0):
        alike = np.flatnonzero((shapes == shape).all(axis=1))
        size = max(1, AT_ONCE // (int(shape[0]) * n_components))
        for start in range(0, len(alike), size):
            own = alike[start : start + size]
            yield own, np.stack([matrices[i] for i in own])


def one_hot(labels: np.ndarray, n_components: int, dtype: Any) -> np.ndarray:
    """Responsibilities (b, k, n) that give each row to its label (b, n)."""
    return np.asarray(labels[:, None] == np.arange(n_components)[:, None], dtype=dtype)


def normalize(log_joint: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log-sum-exp over the components (b, n) and responsibilities (b, k, n), which overwrite `log_joint`."""
    top = np.max(log_joint, axis=1, keepdims=True)
    log_joint -= top
    np.exp(log_joint, out=log_joint)
    total = log_joint.sum(axis=1, keepdims=True)
    log_joint /= total
    return (np.log(total) + top)[:, 0], log_joint


def ridge(X: np.ndarray) -> np.ndarray:
    """What is added to the diagonal of the covariance of each of b data sets (b, n, d): float64, b."""
    deviations = X - X.mean(axis=1, keepdims=True)  # in the precision of X: summed in float64, that is enough
    return np.asarray(REGULARIZATION * np.square(deviations).mean(axis=(1, 2), dtype=np.float64) + 1e-12)


def factor(covariance: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """Lower Cholesky factors of b covariances (b, d, d; float64, changed), with `floor` (b,) added to their diagonals.

    Cancellation (float32 input, k close to n) can leave an eigenvalue below the floor that it has by construction: then
    the eigenvalues are raised to it.
    """
    diagonals = _diagonals(covariance)
    diagonals += floor[:, None]
    try:
        lower = np.linalg.cholesky(covariance)
        low = np.flatnonzero((_diagonals(lower) ** 2 < floor[:, None]).any(axis=1))
    except np.linalg.LinAlgError:  # it does not say in which of them
        lower, low = np.empty_like(covariance), np.arange(len(covariance))
    if len(low):
        values, vectors = np.linalg.eigh(covariance[low])
        least = floor[low][:, None]
        raised = (vectors * np.maximum(values, least)[:, None]) @ vectors.mT
        eye = np.eye(covariance.shape[1], dtype=covariance.dtype)
        lower[low] = np.linalg.cholesky(raised + 1e-9 * least[:, None] * eye)
    return lower


def log_diagonal(lower: np.ndarray) -> np.ndarray:
    """Sum of the logarithms of the diagonal of b triangular matrices (b, d, d): half the log determinant of L L'."""
    return np.log(_diagonals(lower)).sum(axis=1)


def _diagonals(matrices: np.ndarray) -> np.ndarray:
    """A view of the diagonals (b, d) of matrices that lie in one piece, as products, sums and factors of some do."""
    return matrices.reshape(len(matrices), -1)[:, :: matrices.shape[1] + 1]
