"""Discovery on cells: against what people use today, against oracles and against a supervised bound."""

from __future__ import annotations

import math
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from falcon_sc._checks import check_int
from falcon_sc.benchmarks import _tables
from falcon_sc.benchmarks._asked import methods_of
from falcon_sc.benchmarks._runs import complete, n_jobs
from falcon_sc.benchmarks.cells._data import SIMULATIONS, simulated, sources
from falcon_sc.benchmarks.cells._figure import plot
from falcon_sc.benchmarks.cells._methods import DEFAULTS, METHODS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from falcon_sc.benchmarks.cells._data import Cells, Source

SCORES = ("accuracy", "macro_accuracy", "ari")
A_MINUTE = 60.0  # of CPU time for a data set: what every method of the published tables stays below


def run(
    *,
    data: Path | None = None,
    out: Path | None = None,
    seeds: int = 5,
    methods: Sequence[str] = DEFAULTS,
    simulations: Mapping[str, Mapping[str, Any]] = SIMULATIONS,
    only: Sequence[str] = (),
    jobs: int | None = None,
) -> pd.DataFrame:
    """Run every method on every data set with every seed.

    All methods get the same cells, the same coarse labels and the same total number of fine classes, and one setting
    for all data sets. Oracles are also told the true number of fine classes of each coarse class, which no user
    knows; the bound learns from fine labels. Leiden, K-Means and mixtures work inside each coarse class, on 50
    principal components of the genes that `falcon_sc.tl.discover` chooses; scaling these to unit variance first, as
    many people do, is a row of its own.

    Parameters
    ----------
    data
        Folder with h5ad files: raw counts (or continuous values, where some are negative), with `coarse` and `fine` in
        `obs`, and `mid` where there is a level between; files without them are left out. None: simulated cells only.
    out
        Folder for `cells.csv` (a row a run), `cells_summary.csv` and `cells_summary.md` (means and spreads),
        `cells.md` (data sets as rows, methods as columns) and `cells.png`. Runs that are in `cells.csv` are not run again:
        killed and repeated, the command goes on where it was. None: nothing is written.
    seeds
        Number of seeds, 0 to `seeds` - 1. They seed the methods, and the cells of the simulated sets.
    methods
        Names of the methods to run, of those in `METHODS`. Default: all but "scVI + Leiden", which needs the extra
        ``scvi``, takes minutes a set, and stops at a set that holds no counts: name those that do with `only`.
    simulations
        Keywords of `falcon_sc.datasets.simulate` for each simulated set.
    only
        Names of files in `data`, without ``.h5ad``; then no cells are simulated. Empty: all of them.
    jobs
        Runs at once, each in a process with one thread; the scores are those of one after the other. Default: as many
        as there are cores.

    Returns
    -------
    A row for each data set, seed and method: ``data``, ``source`` (the size of its file, or how it was simulated),
    ``seed``, ``method``, ``group`` ("real", "simulated"; "few extra" where there are only a few more fine classes than
    coarse ones), ``n_obs``, ``n_coarse``, ``n_fine``, ``kind`` ("method", "oracle" or "bound"), ``accuracy``,
    ``macro_accuracy`` and ``ari`` (per cent), ``cpu_seconds`` (from the counts to the labels), ``classes_used`` and
    ``failed``, which is missing unless the run diverged: then there are no scores.

    Raises
    ------
    ValueError
        If ``seeds`` or ``jobs`` is less than 1, or a method is unknown.
    ImportError
        If Leiden or scVI is asked for and not installed.
    FileNotFoundError
        If there is no file in `data`, or one of `only` is missing.

    Examples
    --------
    >>> from falcon_sc.benchmarks.cells import cells
    >>> table = cells.run(seeds=1, methods=["Leiden", "falcon_sc"])  # doctest: +SKIP
    """
    check_int(seeds, "seeds")
    n_jobs(jobs)
    methods = methods_of(methods, METHODS)
    found = {source.name: source for source in sources(data, {} if only else simulations, only)}
    asked = [
        {"data": name, "source": source.about, "seed": seed, "method": method}
        for name, source in found.items()
        for seed in range(seeds)
        for method in methods
    ]
    table = complete(None if out is None else out / "cells.csv", asked, partial(_measure, found), jobs=jobs)
    summary, compact = summarize(table), scores_by_method(table)
    about = f"ACC / macro ACC / ARI in per cent, means of {seeds} seeds.{_long_ones(summary)}"
    print(f"{_tables.to_markdown(compact)}\n{about}")
    if out is not None:
        _tables.save(summary, out, "cells_summary")
        (out / "cells.md").write_text(f"{about}\n\n{_tables.to_markdown(compact)}", encoding="utf-8")
        plot(summary, out / "cells.png")
    return table


def _measure(found: Mapping[str, Source], run: Mapping[str, Any]) -> dict[str, Any]:
    """One method, data set and seed: what a row of the table says beside these."""
    import numpy as np

    from falcon_sc import metrics
    from falcon_sc.core.runtime.threads import at_most_threads

    source, method, seed = found[run["data"]], run["method"], run["seed"]
    name = f"{run['data']}, seed {seed}, {method}"
    with at_most_threads(1):
        cells = _prepared(source, seed if source.path is None else 0)
        row = {
            "group": cells.group,
            "n_obs": cells.adata.n_obs,
            "n_coarse": len(np.unique(cells.coarse)),
            "n_fine": cells.n_fine,
            "kind": METHODS[method].kind,
        }
        try:
            labels, cpu_seconds = METHODS[method](cells, seed)
        except (
            FloatingPointError
        ) as error:  # a method that diverges is a result as well, and ends no table that takes hours
            print(f"{name}: {error}", flush=True)
            return row | dict.fromkeys((*SCORES, "cpu_seconds", "classes_used"), np.nan) | {"failed": str(error)}
    row |= {
        "accuracy": 100 * metrics.clustering_accuracy(cells.fine, labels),
        "macro_accuracy": 100 * metrics.macro_accuracy(cells.fine, labels),
        "ari": 100 * metrics.adjusted_rand_index(cells.fine, labels),
        "cpu_seconds": cpu_seconds,
        "classes_used": len(np.unique(labels)),
        "failed": None,
    }
    print(f"{name}: {_triple(row)}, {cpu_seconds:.1f} s", flush=True)
    return row


@lru_cache(maxsize=1)
def _prepared(source: Source, seed: int) -> Cells:
    """Methods take turns on a data set, in each process."""
    simulated("warm-up", {"n_obs": 100, "n_vars": 100, "n_coarse": 2, "n_fine": 4}, 0)  # imports are nobody's time
    return source.cells(seed)


def _long_ones(summary: pd.DataFrame) -> str:
    """Which methods took more than a minute, and where; nothing if none did."""
    long = summary[summary["cpu_seconds"] > A_MINUTE]
    where = [f"{row['method']} on {row['data']} ({row['cpu_seconds']:.0f} s)" for _, row in long.iterrows()]
    return f" More than a minute of CPU time: {', '.join(where)}." if where else ""


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each data set and method: means over seeds, their standard deviations (``..._sd``), median CPU seconds.

    ``diverged``: how many seeds did; the others make the means.
    """
    keys = ["data", "group", "n_fine", "method", "kind"]
    if "failed" not in table:  # kept by a version that ended at the first that did
        table = table.assign(failed=None)
    grouped = table.groupby(keys, sort=False)
    means = grouped[[*SCORES, "classes_used"]].mean()
    spread = grouped[list(SCORES)].std().add_suffix("_sd")
    # the median: the first call in a process compiles
    diverged = grouped["failed"].count().rename("diverged")
    return means.join(spread).join(grouped["cpu_seconds"].median()).join(diverged).reset_index()


def scores_by_method(table: pd.DataFrame) -> pd.DataFrame:
    """Data sets as rows, methods as columns, means over seeds; below each group of data sets, the mean over it."""
    import pandas as pd

    summary = summarize(table)
    wide = {}
    for group, part in summary.groupby("group", sort=False):
        for name, rows in part.groupby("data", sort=False):
            wide[str(name)] = {row["method"]: _triple(row) for _, row in rows.iterrows()}
        if part["data"].nunique() > 1:
            grouped = part.groupby("method", sort=False)
            means = grouped[list(SCORES)].mean().join(grouped["diverged"].sum())
            wide[f"mean, {group}"] = {str(method): _triple(row) for method, row in means.iterrows()}
    return pd.DataFrame.from_dict(wide, orient="index").rename_axis("data").reset_index()


def _triple(row: Any) -> str:
    """The three scores; of a mean, and how many runs are not in it."""
    diverged = row.get("diverged", 0)
    scores = " / ".join("-" if math.isnan(row[score]) else f"{row[score]:.1f}" for score in SCORES)
    return f"{scores}, {diverged} diverged" if diverged else scores
