"""What it is worth to know the numbers of fine classes of some coarse classes: `fixed` of `falcon_sc.tl.discover`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import check_int
from falcon_sc.benchmarks import _tables
from falcon_sc.benchmarks.cells._data import SIMULATIONS, problems

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from falcon_sc.benchmarks.cells._data import Cells

N_FIXED = (0, 1, 2, 3)


def run(
    *,
    data: Path | None = None,
    out: Path | None = None,
    seeds: int = 3,
    simulations: Mapping[str, Mapping[str, Any]] | None = None,
    only: Sequence[str] = (),
) -> pd.DataFrame:
    """Labels of the start, told the total, and the true numbers of the 0 to 3 coarse classes that have most cells.

    These are the classes that a person knows best and that move the accuracy most; that they are large is seen without
    any fine label. The other coarse classes share the rest out.

    Parameters
    ----------
    data
        Folder with the data sets, as for `falcon_sc.benchmarks.cells.cells`. None: simulated cells only.
    out
        Folder for `splits.csv` (a row a run), `splits_means.csv` and `splits_means.md`. None: nothing is written.
    seeds
        Number of seeds, 0 to `seeds` - 1, of the start, and of the cells of the simulated sets.
    simulations
        Keywords of `falcon_sc.datasets.simulate` for each simulated set. Default: the first of `bench cells`.
    only
        Names of files in `data`, without ``.h5ad``; then no cells are simulated. Empty: all of them.

    Returns
    -------
    A row for each data set, seed and ``n_fixed`` (coarse classes whose true number is given; no more than there are):
    ``false_splits`` and ``missed_splits`` (fine classes too many and too few, summed over the coarse classes),
    ``accuracy``, ``macro_accuracy`` and ``ari`` (per cent).

    Raises
    ------
    ValueError
        If ``seeds`` is less than 1.
    FileNotFoundError
        If there is no file in `data`, or one of `only` is missing.

    Examples
    --------
    >>> from falcon_sc.benchmarks.cells import splits
    >>> table = splits.run(seeds=1)  # doctest: +SKIP
    """
    import pandas as pd

    check_int(seeds, "seeds")
    if simulations is None:
        simulations = dict(list(SIMULATIONS.items())[:1])
    rows: list[dict[str, Any]] = []
    for cells, seed in problems(data, seeds, {} if only else simulations, only):
        for n_fixed in N_FIXED[: len(cells.n_per_class) + 1]:
            rows.append({"data": cells.name, "seed": seed, "n_fixed": n_fixed, **_measure(cells, n_fixed, seed)})
            print(rows[-1], flush=True)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            pd.DataFrame(rows).to_csv(out / "splits.csv", index=False)
    table = pd.DataFrame(rows)
    means = table.drop(columns="seed").groupby(["data", "n_fixed"], sort=False).mean().reset_index()
    print(_tables.to_markdown(means))
    if out is not None:
        _tables.save(means, out, "splits_means")
    return table


def _measure(cells: Cells, n_fixed: int, seed: int) -> dict[str, Any]:
    """One run of the start: wrong numbers, and scores."""
    from falcon_sc import metrics
    from falcon_sc.core.start.consensus_start import consensus_start

    names, codes = np.unique(cells.coarse, return_inverse=True)
    true = np.array([cells.n_per_class[str(name)] for name in names])
    largest = np.argsort(-np.bincount(codes), kind="stable")[:n_fixed]
    fixed = np.zeros(len(names), dtype=np.int64)
    fixed[largest] = true[largest]
    start = consensus_start(cells.inputs.start, codes, cells.n_fine, fixed=fixed, rng=seed)
    excess = start.relation.sum(axis=0, dtype=np.int64) - true
    assert start.labels is not None  # a consensus always has some
    return {
        "false_splits": int(excess.clip(min=0).sum()),
        "missed_splits": int((-excess).clip(min=0).sum()),
        "accuracy": 100 * metrics.clustering_accuracy(cells.fine, start.labels),
        "macro_accuracy": 100 * metrics.macro_accuracy(cells.fine, start.labels),
        "ari": 100 * metrics.adjusted_rand_index(cells.fine, start.labels),
    }
