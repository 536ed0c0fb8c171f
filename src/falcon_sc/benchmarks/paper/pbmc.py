"""Tables 2, 3, H2 and H3 of the paper for cells: every system, on an atlas or on its simulated twin."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import check_int
from falcon_sc.benchmarks import _tables
from falcon_sc.benchmarks.paper import _atlas
from falcon_sc.benchmarks.paper._layout import beside_the_paper
from falcon_sc.benchmarks.paper._on_cells import ROWS, SYSTEMS
from falcon_sc.benchmarks.paper._runs import check_methods, complete, scores

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from falcon_sc.benchmarks.paper._atlas import Atlas


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
    A row for each run: ``data``, ``min_iterations``, ``method``, ``seed``, ``accuracy``, ``ari``, ``macro_accuracy``
    (per cent), ``ged`` (as published) and ``ged_matched`` of those that learn relations, ``classes_used``, ``seconds``,
    and ``failed``, which is missing unless the run diverged.

    Raises
    ------
    KeyError
        If a column is missing.
    ValueError
        If ``seeds`` is less than 1, a method is unknown, or the labels are not nested.
    ImportError
        If Leiden is asked for and not installed.

    Examples
    --------
    >>> from falcon_sc.benchmarks.paper import pbmc
    >>> table = pbmc.run(simulate=1000, seeds=1, methods=["SCAN-C", "falcon_sc"])  # doctest: +SKIP
    """
    check_int(seeds, "seeds")
    check_int(simulate, "simulate")
    check_int(min_iterations, "min_iterations")
    check_methods(methods, SYSTEMS)
    if data_file is None:
        atlas = _atlas.twin(simulate)
    else:
        atlas = _atlas.read(data_file, coarse_key=coarse_key, fine_key=fine_key, donor_key=donor_key)
    runs = None if out is None else out / "pbmc.csv"
    setting = {"data": atlas.name, "min_iterations": min_iterations}
    table = complete(runs, setting, methods, seeds, partial(_measure, atlas, min_iterations))
    beside = beside_the_paper(table, "pbmc", ROWS)
    print(_tables.to_markdown(beside))
    if out is not None:
        _tables.save(beside, out, "pbmc_tables")
    return table


def _measure(atlas: Atlas, min_iterations: int, method: str, seed: int) -> dict[str, Any]:
    began = time.perf_counter()
    result = SYSTEMS[method](atlas, seed, min_iterations)
    seconds = time.perf_counter() - began
    fine = np.unique(atlas.fine, return_inverse=True)[1]
    return scores(result, fine, atlas.relation) | {"seconds": seconds}
