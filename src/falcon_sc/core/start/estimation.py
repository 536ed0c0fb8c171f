"""How many fine classes there are inside each coarse class: a range, and a number in it, from curves over k.

How deep an annotation goes is a decision of the people who made it, and no curve tells it: the same cells are 10
classes in one annotation and 23 in another. So two questions are asked that curves can answer. "Stable": with which
k do other cells of the class give the same clusters? "Supported": up to which k is there more than noise?
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.start import thinning
from falcon_sc.core.start.coarse_classes import CoarseClasses
from falcon_sc.core.start.mixtures.merging import log_likelihoods
from falcon_sc.core.start.progress import FitsBar
from falcon_sc.core.start.replication import replication
from falcon_sc.core.start.representation.class_representations import (
    CONTINUOUS_REPRESENTATIONS,
    ClassRepresentations,
    class_representations,
    usable_dims,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from falcon_sc.core.start.input import StartInput

CELLS_PER_FINE_CLASS = 8  # at least, on average: halves of the cells are clustered too
LEAST_STABILITY = 0.5  # adjusted Rand index: half way from chance (0) to the same clusters (1)
FITS_PER_NUMBER = 60  # of classes that is tried in a coarse class, about: the bar learns the rest
CELLS_COUNTED = 2000  # of a class, at most: more would pay for ever more clusters of a continuum
TOLERANCE = 0.05  # adjusted Rand index: differences below it hang on the halves that were drawn


@dataclass(frozen=True)
class Estimate:
    """Numbers of fine classes of each coarse class, and the curves they were read from.

    `stable`, `estimate`, `supported`: int64 K_C, in this order never falling. `stability`: (K_C, K) adjusted Rand index
    between clusterings of two halves of the cells; `support`: (K_C, K) what k clusters explain beyond one, less the
    price of their parameters, in nats; both at k = 1..K, NaN beyond the largest k tried in a class.
    """

    stable: np.ndarray
    estimate: np.ndarray
    supported: np.ndarray
    stability: np.ndarray
    support: np.ndarray


def estimate_numbers(
    start_input: StartInput,
    coarse: np.ndarray,
    *,
    max_per_class: int = 20,
    rng: int | np.random.Generator | None,
    n_jobs: int | None = None,
    progress_bar: bool = False,
    n_genes: int = 2000,
    max_cells: int = 3500,
) -> Estimate:
    """Estimate the number of fine classes inside every coarse class, without any fine label.

    Parameters
    ----------
    start_input
        The cells, as `consensus_start` takes them.
    coarse
        Codes 0..K_C-1, int, n; every code occurs.
    max_per_class
        Largest number tried in a coarse class: the time grows with it. Classes of fewer than 8 cells for each are tried up to n / 8.
    rng
        Seed or generator; the same one gives the same numbers, whatever `n_jobs`.
    n_jobs
        Coarse classes worked on at once; None: one a core.
    progress_bar
        Show a bar over the fits in all coarse classes.
    n_genes, max_cells
        As in `consensus_start`.

    Raises
    ------
    ValueError
        When `max_per_class` is below 1.
    """
    if max_per_class < 1:
        msg = f"max_per_class is {max_per_class}: give at least 1"
        raise ValueError(msg)
    classes = CoarseClasses(start_input, np.asarray(coarse, dtype=np.int64))
    k_max = np.clip(classes.sizes // CELLS_PER_FINE_CLASS, 1, max_per_class)
    generators = np.random.default_rng(rng).spawn(len(k_max))

    def curves(c: int) -> tuple[np.ndarray, np.ndarray]:
        if k_max[c] == 1:
            return np.ones(1), np.zeros(1)
        (rows, batch), ks = classes.of(c), range(1, int(k_max[c]) + 1)
        representations = class_representations(
            rows,
            start_input.kind,
            generators[c],
            batch=batch,
            has_counts=classes.has_counts,
            n_genes=n_genes,
            max_cells=max_cells,
        )
        stability = replication(representations, ks, generators[c])
        if not classes.has_counts:
            return stability, information_criterion(representations, ks, generators[c])
        reproduced = thinning.reproducibility(rows, start_input.kind, ks, generators[c], n_genes=n_genes)
        return stability, reproduced_support(reproduced, ks, representations, rows.shape[0])

    with FitsBar(np.where(k_max > 1, FITS_PER_NUMBER * k_max, 0), shown=progress_bar) as bar:
        stability, support = zip(*classes.each(curves, n_jobs=n_jobs, stage=bar.stages[0]), strict=True)
    stable = np.array([most_stable(curve) for curve in stability], dtype=np.int64)
    # where more classes come back than the penalty lets pass, the range is that one number
    supported = np.maximum(stable, [int(curve.argmax()) + 1 for curve in support])
    return Estimate(
        stable=stable,
        estimate=between(stable, supported),
        supported=supported,
        stability=_side_by_side(stability),
        support=_side_by_side(support),
    )


def _side_by_side(curves: Sequence[np.ndarray]) -> np.ndarray:
    """One row for each class, NaN beyond its curve."""
    together = np.full((len(curves), max(len(own) for own in curves)), np.nan)
    for row, own in zip(together, curves, strict=True):
        row[: len(own)] = own
    return together


def most_stable(stability: np.ndarray) -> int:
    """The smallest k >= 2 about as stable as the best one (K,); 1 where even that is not above `LEAST_STABILITY`."""
    best = stability[1:].max(initial=0.0)
    return 2 + int(np.argmax(stability[1:] >= best - TOLERANCE)) if best > LEAST_STABILITY else 1


def reproduced_support(
    reproduced: np.ndarray, ks: Sequence[int], representations: ClassRepresentations, n: int
) -> np.ndarray:
    """How much tighter the k clusters of one half of the counts are in the other half than one cluster, in nats (K,).

    Median over the representations. Each cluster is paid with log n for each of its parameters: with the log n / 2 of the
    BIC up to eight times as many classes passed as the annotations of real sets have.
    """
    halved = min(n, thinning.MAX_CELLS)
    dims = [min(usable_dims(d, halved), representations.scores[name].shape[1]) for name, d in thinning.REPRESENTATIONS]
    n = min(n, CELLS_COUNTED)
    return _net_gain(n * reproduced, ks, np.tile(dims, len(reproduced) // len(dims)), np.log(n))


def information_criterion(
    representations: ClassRepresentations, ks: Sequence[int], rng: np.random.Generator
) -> np.ndarray:
    """Where there are no counts to halve: the BIC of tied mixtures, gain over one cluster in nats (K,)."""
    fit_cells, n = representations.fit_cells, len(representations.fit_cells)
    scores = [representations.components(*name)[fit_cells] for name in CONTINUOUS_REPRESENTATIONS]
    log_likelihood = n * log_likelihoods(scores, ks, rng)
    return _net_gain(log_likelihood, ks, np.array([X.shape[1] for X in scores]), 0.5 * np.log(n))


def _net_gain(curves: np.ndarray, ks: Sequence[int], dims: np.ndarray, price: float) -> np.ndarray:
    """Median over the rows of `curves` (r, K), over k = 1, less the price of a mean and a weight for each cluster."""
    gain = curves - curves[:, :1] - price * np.outer(dims + 1, np.asarray(ks) - 1)
    return np.asarray(np.median(gain, axis=0))


def between(stable: np.ndarray, supported: np.ndarray) -> np.ndarray:
    """Weighted geometric mean, rounded: on real cells the supported number is the more often far off."""
    return np.asarray(np.rint(np.cbrt(stable.astype(np.float64) ** 2 * supported)), dtype=np.int64)
