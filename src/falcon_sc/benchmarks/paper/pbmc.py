"""Tables 2, 3, H2 and H3 of the paper for cells: every system, on an atlas or on its simulated twin."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import check_int
from falcon_sc.benchmarks import _tables
from falcon_sc.benchmarks.paper import _atlas
from falcon_sc.benchmarks.paper._systems import SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from falcon_sc.benchmarks.paper._atlas import Atlas

_SCORES = ("accuracy", "ari", "macro_accuracy", "ged", "ged_matched")


def run(
    *,
    data_file: Path | None = None,
    simulate: int = 20_000,
    coarse_key: str = "cell_type",
    fine_key: str = "cell_state",
    donor_key: str = "patient_id",
    out: Path | None = None,
    seeds: int = 3,
    methods: Sequence[str] = tuple(SYSTEMS),
    min_iterations: int = 1400,
) -> pd.DataFrame:
    """Run every system with every seed, and put what the paper reports beside it.

    As in the paper: cells with at least 200 genes, genes in at least 5 cells, the 2,000 genes that vary most across
    donors, log-normalized to 10,000; its network, optimizer and epochs for all that trains one; labels of the cells
    that were trained on. Below its tables: SCAN by coarse class, clusterings inside each coarse class, and
    :func:`falcon_sc.tl.discover` with its defaults, from the counts.

    Parameters
    ----------
    data_file
        h5ad of raw counts with the three columns in `obs`; None: a simulated twin.
    simulate
        Cells of the twin: 27 coarse and 83 fine classes of uneven sizes.
    coarse_key, fine_key, donor_key
        Columns of `obs`. Default: those of the atlas of Lindeboom et al.
    out
        Folder for ``pbmc.csv`` (a row a run), ``pbmc_tables.csv`` and ``pbmc_tables.md``. Runs that are in ``pbmc.csv``
        are not run again. None: nothing is written.
    seeds
        Number of seeds, 0 to `seeds` - 1.
    methods
        Names in `SYSTEMS`.
    min_iterations
        Where ten epochs are fewer, all that trains on the paper's settings takes more epochs. Default: as many as
        :class:`falcon_sc.FalconConfig` takes at least. The paper's ten epochs of 372,000 cells are 3,630.

    Returns
    -------
    A row for each run: ``data``, ``method``, ``seed``, ``accuracy``, ``ari``, ``macro_accuracy`` (per cent), ``ged``
    (as published) and ``ged_matched`` of those that learn relations, ``classes_used`` and ``seconds``.

    Raises
    ------
    KeyError
        If a column is missing.
    ValueError
        If ``seeds`` is less than 1, a method is unknown, or the labels are not nested.

    Examples
    --------
    >>> from falcon_sc.benchmarks.paper import pbmc
    >>> table = pbmc.run(simulate=1000, seeds=1, methods=["SCAN-C", "falcon_sc"])  # doctest: +SKIP
    """
    import pandas as pd

    check_int(seeds, "seeds")
    check_int(simulate, "simulate")
    check_int(min_iterations, "min_iterations")
    unknown = set(methods) - set(SYSTEMS)
    if unknown:
        msg = f"methods: {sorted(unknown)} are not among {list(SYSTEMS)}."
        raise ValueError(msg)
    if data_file is None:
        atlas = _atlas.twin(simulate)
    else:
        atlas = _atlas.read(data_file, coarse_key=coarse_key, fine_key=fine_key, donor_key=donor_key)
    rows = _kept(out)
    done = {(row["data"], row["method"], row["seed"]) for row in rows}
    for method in methods:
        for seed in range(seeds):
            if (atlas.name, method, seed) in done:
                continue
            rows.append(_measure(atlas, method, seed, min_iterations))
            if out is not None:  # after each run: what was interrupted goes on here
                out.mkdir(parents=True, exist_ok=True)
                pd.DataFrame(rows).to_csv(out / "pbmc.csv", index=False)
    table = pd.DataFrame(rows)
    asked = table[(table["data"] == atlas.name) & table["method"].isin(methods) & (table["seed"] < seeds)]
    beside = beside_the_paper(asked.reset_index(drop=True))
    print(_tables.to_markdown(beside))
    if out is not None:
        _tables.save(beside, out, "pbmc_tables")
    return asked.reset_index(drop=True)


def beside_the_paper(table: pd.DataFrame) -> pd.DataFrame:
    """Means and spreads over the seeds, a row a method in the order of the paper, and its values."""
    import pandas as pd

    rows = []
    for method, system in SYSTEMS.items():
        own = table[table["method"] == method]
        if own.empty:
            continue
        acc, ari, h2_acc, h2_ari, h2_macc, ged = system.published
        ours = {name: _mean(own[name]) for name in _SCORES}
        rows.append(
            {
                "method": method,
                "seeds": len(own),
                "ACC": ours["accuracy"],
                "paper (T2; H2)": f"{acc}; {h2_acc}",
                "ARI": ours["ari"],
                "paper (T2; H2) ": f"{ari}; {h2_ari}",
                "mACC": ours["macro_accuracy"],
                "paper (H2)": h2_macc,
                "GED": ours["ged"],
                "paper (H3)": ged,
                "GED, matched": ours["ged_matched"],
            }
        )
    return pd.DataFrame(rows)


def _mean(values: pd.Series) -> str:
    if values.isna().all():
        return "-"
    return f"{values.mean():.1f}" + (f" ± {values.std():.1f}" if len(values) > 1 else "")


def _kept(out: Path | None) -> list[dict[str, Any]]:
    """Rows of runs before this one."""
    import pandas as pd

    if out is None or not (out / "pbmc.csv").is_file():
        return []
    return [{str(k): v for k, v in row.items()} for row in pd.read_csv(out / "pbmc.csv").to_dict("records")]


def _measure(atlas: Atlas, method: str, seed: int, min_iterations: int) -> dict[str, Any]:
    from falcon_sc import metrics

    began = time.perf_counter()
    labels, relation = SYSTEMS[method].find(atlas, seed, min_iterations)
    seconds = time.perf_counter() - began
    fine = np.unique(atlas.fine, return_inverse=True)[1]
    ged = matched = np.nan
    if relation is not None:
        ged = metrics.graph_edit_distance(relation, atlas.relation)
        matched = metrics.graph_edit_distance(relation, atlas.relation, kind="matched", labels=labels, labels_true=fine)
    row = {
        "data": atlas.name,
        "method": method,
        "seed": seed,
        "accuracy": 100 * metrics.clustering_accuracy(fine, labels),
        "ari": 100 * metrics.adjusted_rand_index(fine, labels),
        "macro_accuracy": 100 * metrics.macro_accuracy(fine, labels),
        "ged": ged,
        "ged_matched": matched,
        "classes_used": len(np.unique(labels)),
        "seconds": seconds,
    }
    print(f"{method}, seed {seed}: {row['accuracy']:.1f} / {row['ari']:.1f}, {seconds:.1f} s", flush=True)
    return row
