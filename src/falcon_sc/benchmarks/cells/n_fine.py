"""The estimated number of fine classes against that of the annotation, which stays hidden from the estimate."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from falcon_sc._checks import check_int
from falcon_sc.benchmarks import _tables
from falcon_sc.benchmarks.cells._data import SIMULATIONS, problems

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

    from falcon_sc.benchmarks.cells._data import Cells


def run(
    *,
    data: Path | None = None,
    out: Path | None = None,
    seeds: int = 3,
    simulations: Mapping[str, Mapping[str, Any]] = SIMULATIONS,
) -> pd.DataFrame:
    """Estimate the number of fine classes of every data set of the benchmark `cells`, with every seed.

    Parameters
    ----------
    data
        Folder with the data sets, as for `falcon_sc.benchmarks.cells.cells`. None: simulated cells only.
    out
        Folder for `n_fine.csv` (a row a run), `n_fine_summary.csv` and `n_fine_summary.md` (a row a data set). None:
        nothing is written.
    seeds
        Number of seeds, 0 to `seeds` - 1. They seed the estimate, and the cells of the simulated sets.
    simulations
        Keywords of `falcon_sc.datasets.simulate` for each simulated set.

    Returns
    -------
    A row for each data set and seed: ``data``, ``n_coarse``, ``truth``, ``stable`` and ``estimate`` (totals over the coarse
    classes), ``classes_in_range`` (coarse classes whose true number lies between these) and ``seconds``.

    Raises
    ------
    ValueError
        If ``seeds`` is less than 1.
    FileNotFoundError
        If a data set is missing in `data`.

    Examples
    --------
    >>> from falcon_sc.benchmarks.cells import n_fine
    >>> table = n_fine.run(seeds=1)  # doctest: +SKIP
    """
    import pandas as pd

    check_int(seeds, "seeds")
    table = pd.DataFrame([_measure(cells, seed) for cells, seed in problems(data, seeds, simulations)])
    summary = summarize(table)
    print(_tables.to_markdown(summary))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        table.to_csv(out / "n_fine.csv", index=False)
        _tables.save(summary, out, "n_fine_summary")
    return table


def _measure(cells: Cells, seed: int) -> dict[str, Any]:
    """One data set and seed: a row of the table."""
    import numpy as np

    from falcon_sc.tl import estimate_n_fine

    began = time.perf_counter()
    result = estimate_n_fine(cells.adata, "coarse", values=cells.values, rng=seed, progress_bar=False, copy=True)
    if result is None:  # never: copy=True
        raise TypeError
    seconds = time.perf_counter() - began
    numbers = result.uns["falcon_n_fine"]
    truth = np.array([cells.n_per_class[name] for name in numbers["coarse_names"]])
    row = {
        "data": cells.name,
        "n_coarse": len(truth),
        "truth": int(truth.sum()),
        **{name: int(numbers[name].sum()) for name in ("stable", "estimate")},
        "classes_in_range": int(((numbers["stable"] <= truth) & (truth <= numbers["estimate"])).sum()),
        "seconds": seconds,
    }
    print(f"{cells.name}, seed {seed}: {row}", flush=True)
    return row


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each data set: means over seeds, ``ratio`` of the mean estimate to the truth, median seconds."""
    grouped = table.groupby("data", sort=False)
    numbers = ["n_coarse", "truth", "stable", "estimate", "classes_in_range"]
    summary = grouped[numbers].mean()
    summary["ratio"] = summary["estimate"] / summary["truth"]
    summary["seconds"] = grouped["seconds"].median()
    return summary.reset_index()
