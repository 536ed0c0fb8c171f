"""How many fine classes are there inside each coarse class? Those that supported splits make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.start.coarse_classes import CoarseClasses
from falcon_sc.core.start.one_class import FITS, divide
from falcon_sc.core.start.progress import FitsBar
from falcon_sc.core.start.tree.splits import most_leaves
from falcon_sc.core.start.tree.support import supported_from_above, supported_or_above
from falcon_sc.core.start.workers import workers_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from falcon_sc.core.start.input import StartInput
    from falcon_sc.core.start.tree.splits import Splits

# Fine classes that a coarse class is divided into before the evidence is looked at: the tree goes through them, and about
# twice as deep. With more, small groups come first, and the splits above them are the worse.
CELLS_PER_CLASS = 60
MOST_CLASSES = 4
LEAVES_PER_CLASS = 2


@dataclass(frozen=True)
class Estimate:
    """Numbers of fine classes of each coarse class, and the evidence they were read from.

    `estimate`: int64 K_C, the classes that the supported splits make, and those above them; `stable`: of these, the ones
    that a chain of supported splits leads to from the coarse class. `support`: (K_C, K), the support of the split that makes the
    second, third, ... K-th class, NaN for the first and beyond the deepest. `splits`: of each coarse class, None where it is
    too small for any.
    """

    stable: np.ndarray
    estimate: np.ndarray
    support: np.ndarray
    splits: tuple[Splits | None, ...]


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
    n_repeats: int = 4,
) -> Estimate:
    """Estimate the number of fine classes inside every coarse class, without any fine label.

    Parameters
    ----------
    start_input
        The cells, as `consensus_start` takes them.
    coarse
        Codes 0..K_C-1, int, n; every code occurs.
    max_per_class
        Largest number in a coarse class. The tree has at most 9 leaves there.
    rng
        Seed or generator; the same one gives the same numbers, whatever `n_jobs`.
    n_jobs
        Coarse classes worked on at once, at most, as in `consensus_start`.
    progress_bar
        Show a bar over the fits in all coarse classes.
    n_genes, max_cells, n_repeats
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
    k = np.clip(classes.sizes // CELLS_PER_CLASS, 1, min(MOST_CLASSES, max_per_class))
    learned = np.minimum(classes.sizes, max_cells)
    n_leaves = np.array([most_leaves(*own, LEAVES_PER_CLASS) for own in zip(k.tolist(), learned.tolist(), strict=True)])
    n_leaves = np.minimum(n_leaves, max_per_class)
    generators = np.random.default_rng(rng).spawn(len(k))
    options = {"n_genes": n_genes, "max_cells": max_cells, "n_repeats": n_repeats}

    def splits(c: int) -> Splits | None:
        if n_leaves[c] == 1:
            return None
        asked = {"k": int(k[c]), "n_leaves": int(n_leaves[c])} | options
        return workers.run(divide, lambda: classes.given(c) | asked, generators[c]).splits

    with (
        workers_for(len(coarse), len(k), n_jobs) as workers,
        FitsBar(np.where(n_leaves > 1, FITS[classes.has_counts], 0), shown=progress_bar) as bar,
    ):
        found = classes.each(splits, workers=workers, stage=bar.stages[0])
    return Estimate(
        stable=np.array([_number(own, supported_from_above) for own in found], dtype=np.int64),
        estimate=np.array([_number(own, supported_or_above) for own in found], dtype=np.int64),
        support=_side_by_side([_curve(own) for own in found]),
        splits=tuple(found),
    )


def _number(found: Splits | None, made: Callable[[np.ndarray, int, np.ndarray], np.ndarray]) -> int:
    """Classes that the splits leave that are `made`."""
    if found is None:
        return 1
    joins = found.tree.joins
    return 1 + int(made(joins, len(joins) + 1, found.evidence.supported).sum())


def _curve(found: Splits | None) -> np.ndarray:
    """Support of the split that makes the 1st (NaN), 2nd, ... class."""
    return np.array([np.nan]) if found is None else np.append(np.nan, found.evidence.support[::-1])


def _side_by_side(curves: Sequence[np.ndarray]) -> np.ndarray:
    """One row for each class, NaN beyond its curve."""
    together = np.full((len(curves), max(len(own) for own in curves)), np.nan)
    for row, own in zip(together, curves, strict=True):
        row[: len(own)] = own
    return together
