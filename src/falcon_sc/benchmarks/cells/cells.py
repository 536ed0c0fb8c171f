"""Discovery on cells: against what people use today, against oracles and against a supervised bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from falcon_sc._checks import check_int
from falcon_sc.benchmarks import _tables
from falcon_sc.benchmarks.cells._data import SIMULATIONS, problems, simulated
from falcon_sc.benchmarks.cells._figure import plot
from falcon_sc.benchmarks.cells._methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from falcon_sc.benchmarks.cells._data import Cells

SCORES = ("accuracy", "macro_accuracy", "ari")


def run(
    *,
    data: Path | None = None,
    out: Path | None = None,
    seeds: int = 5,
    methods: Sequence[str] = tuple(METHODS),
    simulations: Mapping[str, Mapping[str, Any]] = SIMULATIONS,
    only: Sequence[str] = (),
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
        `cells.md` (data sets as rows, methods as columns) and `cells.png`. None: nothing is written.
    seeds
        Number of seeds, 0 to `seeds` - 1. They seed the methods, and the cells of the simulated sets.
    methods
        Names of the methods to run, of those in `METHODS`.
    simulations
        Keywords of `falcon_sc.datasets.simulate` for each simulated set.
    only
        Names of files in `data`, without ``.h5ad``; then no cells are simulated. Empty: all of them.

    Returns
    -------
    A row for each data set, method and seed: ``data``, ``group`` ("real", "simulated"; "few extra" where there are
    only a few more fine classes than coarse ones), ``n_obs``, ``n_coarse``, ``n_fine``, ``method``, ``kind``
    ("method", "oracle" or "bound"), ``seed``, ``accuracy``, ``macro_accuracy`` and ``ari`` (per cent), ``seconds``
    (from the counts to the labels) and ``classes_used``.

    Raises
    ------
    ValueError
        If ``seeds`` is less than 1, or a method is unknown.
    FileNotFoundError
        If there is no file in `data`, or one of `only` is missing.

    Examples
    --------
    >>> from falcon_sc.benchmarks.cells import cells
    >>> table = cells.run(seeds=1, methods=["Leiden", "falcon_sc"])  # doctest: +SKIP
    """
    import pandas as pd

    check_int(seeds, "seeds")
    unknown = set(methods) - set(METHODS)
    if unknown:
        msg = f"methods: {sorted(unknown)} are not among {list(METHODS)}."
        raise ValueError(msg)
    simulated("warm-up", {"n_obs": 100, "n_vars": 100, "n_coarse": 2, "n_fine": 4}, 0)  # imports are nobody's time
    rows: list[dict[str, Any]] = []
    for cells, seed in problems(data, seeds, {} if only else simulations, only):
        rows += [_measure(cells, method, seed) for method in methods]
        if out is not None:  # after each data set: a crash leaves what was measured
            out.mkdir(parents=True, exist_ok=True)
            pd.DataFrame(rows).to_csv(out / "cells.csv", index=False)
    table = pd.DataFrame(rows)
    compact = scores_by_method(table)
    print(_tables.to_markdown(compact))
    if out is not None:
        _tables.save(summarize(table), out, "cells_summary")
        (out / "cells.md").write_text(
            f"ACC / macro ACC / ARI in per cent, means of {seeds} seeds.\n\n{_tables.to_markdown(compact)}",
            encoding="utf-8",
        )
        plot(summarize(table), out / "cells.png")
    return table


def _measure(cells: Cells, method: str, seed: int) -> dict[str, Any]:
    """One method, data set and seed: a row of the table."""
    import numpy as np

    from falcon_sc import metrics

    labels, seconds = METHODS[method](cells, seed)
    row = {
        "data": cells.name,
        "group": cells.group,
        "n_obs": cells.adata.n_obs,
        "n_coarse": len(np.unique(cells.coarse)),
        "n_fine": cells.n_fine,
        "method": method,
        "kind": METHODS[method].kind,
        "seed": seed,
        "accuracy": 100 * metrics.clustering_accuracy(cells.fine, labels),
        "macro_accuracy": 100 * metrics.macro_accuracy(cells.fine, labels),
        "ari": 100 * metrics.adjusted_rand_index(cells.fine, labels),
        "seconds": seconds,
        "classes_used": len(np.unique(labels)),
    }
    print(f"{cells.name}, seed {seed}, {method}: {_triple(row)}, {seconds:.1f} s", flush=True)
    return row


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each data set and method: means over seeds, their standard deviations (``..._sd``), median seconds."""
    keys = ["data", "group", "n_fine", "method", "kind"]
    grouped = table.groupby(keys, sort=False)
    means = grouped[[*SCORES, "classes_used"]].mean()
    spread = grouped[list(SCORES)].std().add_suffix("_sd")
    # the median: the first call in a process compiles
    return means.join(spread).join(grouped["seconds"].median()).reset_index()


def scores_by_method(table: pd.DataFrame) -> pd.DataFrame:
    """Data sets as rows, methods as columns, means over seeds; below each group of data sets, the mean over it."""
    import pandas as pd

    summary = summarize(table)
    wide = {}
    for group, part in summary.groupby("group", sort=False):
        for name, rows in part.groupby("data", sort=False):
            wide[str(name)] = {row["method"]: _triple(row) for _, row in rows.iterrows()}
        if part["data"].nunique() > 1:
            means = part.groupby("method", sort=False)[list(SCORES)].mean()
            wide[f"mean, {group}"] = {str(method): _triple(row) for method, row in means.iterrows()}
    return pd.DataFrame.from_dict(wide, orient="index").rename_axis("data").reset_index()


def _triple(row: Any) -> str:
    return " / ".join(f"{row[score]:.1f}" for score in SCORES)
