"""Runs of the systems of the paper: their scores, and those that diverge."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from falcon_sc.benchmarks import _runs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

SCORES = ("accuracy", "ari", "macro_accuracy", "ged", "ged_matched")


class Result(NamedTuple):
    """Fine class of each sample that is scored, (N,); and M, (K_F, K_C), of a system that has one."""

    labels: NDArray[Any]
    relation: NDArray[np.uint8] | None = None


def complete(
    path: Path | None,
    setting: Mapping[str, Any],
    methods: Sequence[str],
    seeds: int,
    measure: Callable[[str, int], dict[str, Any]],
    *,
    jobs: int | None = 1,
) -> pd.DataFrame:
    """Measure each system with each seed, unless the file has it.

    Parameters
    ----------
    path, jobs
        As for :func:`falcon_sc.benchmarks._runs.complete`.
    setting
        Columns that say what was run, all but the system and the seed.
    methods, seeds
        Names of the systems; seeds are 0 to `seeds` - 1.
    measure
        From a system and a seed to the further columns; `seconds` is among them, and so are `accuracy` and `ari`, unless
        the system gives no labels to what is scored.

    Returns
    -------
    A row for each seed and system, seed by seed: what is the same for all systems of a seed can be kept until the next. A
    run that diverged has no scores, and says so in `failed`.
    """
    asked = [{**setting, "method": method, "seed": seed} for seed in range(seeds) for method in methods]
    return _runs.complete(path, asked, partial(_measured, measure), jobs=jobs)


def _measured(measure: Callable[[str, int], dict[str, Any]], run: Mapping[str, Any]) -> dict[str, Any]:
    """What is measured; a system that diverges is a result as well, and ends no table that takes days."""
    name = f"{run['method']}, seed {run['seed']}"
    print(f"{name} ...", flush=True)
    try:
        found = measure(run["method"], run["seed"])
    except FloatingPointError as error:
        print(f"{name}: {error}", flush=True)
        return dict.fromkeys((*SCORES, "classes_used"), np.nan) | {"failed": str(error)}
    accuracy, ari = (found.get(score, np.nan) for score in ("accuracy", "ari"))
    print(f"{name}: ACC / ARI {accuracy:.1f} / {ari:.1f}, {found['seconds']:.1f} s", flush=True)
    return found | {"failed": None}


def scores(result: Result, fine: NDArray[Any], truth: NDArray[np.uint8]) -> dict[str, Any]:
    """What the paper reports of a system, and how many classes it used.

    Parameters
    ----------
    result
        What it found.
    fine
        True fine classes, (N,), as positions in the rows of `truth`.
    truth
        True M, (K_F, K_C).
    """
    from falcon_sc import metrics

    labels, relation = result
    ged = matched = np.nan
    if relation is not None:
        ged = metrics.graph_edit_distance(relation, truth)
        matched = metrics.graph_edit_distance(relation, truth, kind="matched", labels=labels, labels_true=fine)
    return {
        "accuracy": 100 * metrics.clustering_accuracy(fine, labels),
        "ari": 100 * metrics.adjusted_rand_index(fine, labels),
        "macro_accuracy": 100 * metrics.macro_accuracy(fine, labels),
        "ged": ged,
        "ged_matched": matched,
        "classes_used": len(np.unique(labels)),
    }
