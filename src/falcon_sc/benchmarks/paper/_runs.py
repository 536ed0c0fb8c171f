"""Runs of systems that take hours: what is finished is kept, and not run again."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from falcon_sc.core.runtime.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

SCORES = ("accuracy", "ari", "macro_accuracy", "ged", "ged_matched")


class Result(NamedTuple):
    """Fine class of each sample that is scored, (N,); and M, (K_F, K_C), of a system that has one."""

    labels: NDArray[Any]
    relation: NDArray[np.uint8] | None = None


def check_methods(methods: Sequence[str], known: Iterable[str]) -> None:
    """Refuse names that are not known, and what would end in an ImportError after others have run for days."""
    if unknown := set(methods).difference(known):
        msg = f"methods: {sorted(unknown)} are not among {list(known)}."
        raise ValueError(msg)
    if "Leiden" in methods and not (find_spec("leidenalg") and find_spec("igraph")):
        msg = "methods: Leiden needs leidenalg and igraph: pip install 'scanpy[leiden]', or name the other methods."
        raise ImportError(msg)


def complete(
    path: Path | None,
    setting: Mapping[str, Any],
    methods: Sequence[str],
    seeds: int,
    measure: Callable[[str, int], dict[str, Any]],
) -> pd.DataFrame:
    """Measure each system with each seed, unless the file has it.

    Parameters
    ----------
    path
        CSV, written after each run; rows of other settings stay in it. None: nothing is written.
    setting
        Columns that say what was run, all but the system and the seed.
    methods, seeds
        Names of the systems; seeds are 0 to `seeds` - 1.
    measure
        From a system and a seed to the further columns; `accuracy`, `ari` and `seconds` are among them.

    Returns
    -------
    A row for each system and seed, system by system. A run that diverged has no scores, and says so in `failed`.
    """
    import pandas as pd

    rows = kept(path)
    asked = [{**setting, "method": method, "seed": seed} for method in methods for seed in range(seeds)]
    left = [run for run in asked if _find(rows, run) is None]
    for number, run in enumerate(left, start=1):
        print(f"run {number} of {len(left)}: {run['method']}, seed {run['seed']}", flush=True)
        rows.append(run | _measured(measure, run["method"], run["seed"]))
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, partial(pd.DataFrame(rows).to_csv, index=False))
    return pd.DataFrame([_find(rows, run) for run in asked])


def _measured(measure: Callable[[str, int], dict[str, Any]], method: str, seed: int) -> dict[str, Any]:
    """What is measured; a system that diverges is a result as well, and ends no table that takes days."""
    try:
        found = measure(method, seed)
    except FloatingPointError as error:
        print(f"    {error}", flush=True)
        return dict.fromkeys(SCORES, np.nan) | {"failed": str(error)}
    print(f"    ACC / ARI {found['accuracy']:.1f} / {found['ari']:.1f}, {found['seconds']:.1f} s", flush=True)
    return found | {"failed": None}


def kept(path: Path | None) -> list[dict[str, Any]]:
    """Rows of runs before this one."""
    import pandas as pd

    if path is None or not path.is_file():
        return []
    return [{str(k): v for k, v in row.items()} for row in pd.read_csv(path).to_dict("records")]


def _find(rows: Sequence[dict[str, Any]], run: Mapping[str, Any]) -> dict[str, Any] | None:
    """The row of a run; a file has read numbers out of text."""
    return next((row for row in rows if all(str(row.get(key)) == str(value) for key, value in run.items())), None)


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
