"""How many fine classes there are inside each coarse class: a range, and a number in it, from curves over k.

How deep an annotation goes is a decision of the people who made it, and no curve tells it: the same cells are 10
classes in one annotation and 23 in another. So two questions are asked that curves can answer. "Stable": with which
k do other cells of the class give the same clusters? "Supported": up to which k is there more than noise?
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core import thinning
from falcon_sc.core.class_clustering import view_names
from falcon_sc.core.class_fits import fit_classes, over_classes, padded
from falcon_sc.core.replication import replication
from falcon_sc.core.views import usable_dims

if TYPE_CHECKING:
    from falcon_sc.core.class_clustering import ClassFit
    from falcon_sc.core.start import StartInput

CELLS_PER_FINE_CLASS = 8  # at least, on average: halves of the cells are clustered too
LEAST_STABILITY = 0.5  # adjusted Rand index below which nothing counts as stable


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
        Largest number tried in a coarse class (ours); classes of fewer than 8 cells for each are tried up to n / 8.
    rng
        Seed or generator; the same one gives the same numbers, whatever `n_jobs`.
    n_jobs
        Coarse classes worked on at once; None: one a core.
    progress_bar
        Show a bar over coarse classes.
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
    coarse = np.asarray(coarse, dtype=np.int64)
    sizes = np.bincount(coarse)
    k_max = np.clip(sizes // CELLS_PER_FINE_CLASS, 1, max_per_class)
    ks = [range(1, int(k) + 1) for k in k_max]
    generators = np.random.default_rng(rng).spawn(len(sizes))
    fits = fit_classes(
        start_input,
        coarse,
        ks,
        generators,
        n_jobs=n_jobs,
        progress_bar=progress_bar,
        n_genes=n_genes,
        max_cells=max_cells,
    )

    def replicate(c: int) -> np.ndarray:
        return np.ones(1) if k_max[c] == 1 else replication(fits[c].views, ks[c], generators[c])

    stability = over_classes(replicate, sizes, n_jobs=n_jobs, progress_bar=False)
    support = [support_curve(fit, int(size)) for fit, size in zip(fits, sizes, strict=True)]
    stable = np.array([most_stable(curve) for curve in stability], dtype=np.int64)
    # where more classes come back than the penalty lets pass, the range is that one number
    supported = np.maximum(stable, [int(curve.argmax()) + 1 for curve in support])
    longest = int(k_max.max())
    return Estimate(
        stable=stable,
        estimate=between(stable, supported),
        supported=supported,
        stability=padded([curve[None] for curve in stability], longest)[:, 0],
        support=padded([curve[None] for curve in support], longest)[:, 0],
    )


def most_stable(stability: np.ndarray) -> int:
    """The k >= 2 of largest stability (K,); 1 where even that is not above `LEAST_STABILITY`."""
    best = int(stability[1:].argmax()) + 2 if len(stability) > 1 else 1
    return best if best > 1 and stability[best - 1] > LEAST_STABILITY else 1


def support_curve(fit: ClassFit, n: int) -> np.ndarray:
    """Gain over one cluster less the price of the parameters, in nats (K,): median over the views.

    With counts: how much tighter the clusters of one half of the counts are in the other half, each cluster paid with
    log n for each of its parameters (ours; with the log n / 2 of the BIC three to four times as many classes passed as
    the annotations have). Without counts there is no other half, and it is the BIC of the mixtures.
    """
    if not fit.sweeps:
        return np.zeros(1)
    ks = fit.sweeps[0].ks
    if fit.reproducibility is None:
        n = len(fit.views.fit_cells)
        curves = np.array([sweep.log_likelihood for sweep in fit.sweeps])
        dims = np.array([fit.views.view(*name).shape[1] for name in view_names(fit.views)])
        price = 0.5 * np.log(n)
    else:
        n = min(n, thinning.MAX_CELLS)
        curves = fit.reproducibility
        halves = [min(usable_dims(d, n), fit.views.scores[name].shape[1]) for name, d in thinning.VIEWS]
        dims = np.tile(halves, len(curves) // len(halves))
        price = np.log(n)
    gain = n * (curves - curves[:, :1]) - price * np.outer(dims + 1, ks - 1)
    return np.asarray(np.median(gain, axis=0))


def between(stable: np.ndarray, supported: np.ndarray) -> np.ndarray:
    """Weighted geometric mean, rounded: on real cells the supported number is the more often far off (ours)."""
    return np.asarray(np.rint(np.cbrt(stable.astype(np.float64) ** 2 * supported)), dtype=np.int64)
