"""Tables 2, 3, H2 and H3 of the paper for cells: every system, on an atlas or on its simulated twin."""

from __future__ import annotations

import math
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import check_int
from falcon_sc.benchmarks import _tables
from falcon_sc.benchmarks._asked import methods_of
from falcon_sc.benchmarks._machine import cpu_seconds
from falcon_sc.benchmarks._runs import n_jobs
from falcon_sc.benchmarks.paper import _atlas
from falcon_sc.benchmarks.paper._layout import beside_the_paper
from falcon_sc.benchmarks.paper._on_cells import DEFAULTS, ROWS, SYSTEMS, Training
from falcon_sc.benchmarks.paper._runs import complete, scores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from falcon_sc.benchmarks.paper._atlas import Atlas

TWIN_ITERATIONS = 300
# the first compares all pairs in each step, the second has a UMAP a coarse class
LONG = ("SNCA (ours)", "GEORGE (ours)")


def run(
    *,
    data_file: Path | None = None,
    simulate: int = 20_000,
    coarse_key: str = "cell_type",
    fine_key: str = "cell_state",
    donor_key: str = "patient_id",
    out: Path | None = None,
    seeds: int = 3,
    methods: Sequence[str] | None = None,
    min_iterations: int | None = None,
    lr: float = 0.1,
    scale: bool | None = None,
    jobs: int | None = None,
) -> pd.DataFrame:
    """Run every system with every seed, and put what the paper reports beside it.

    As in the paper: cells with at least 200 genes, genes in at least 5 cells, the 2,000 genes that vary most across
    donors, log-normalized to 10,000; its network, optimizer and epochs for all that trains one; labels of the cells
    that were trained on. Below its tables: SCAN by coarse class, clusterings inside each coarse class, the same systems
    on the network, optimizer and length of :class:`falcon_sc.FalconConfig` ("ours"), and
    :func:`falcon_sc.tl.discover`, from the counts. Systems with an adjusted Rand index below 1 % are counted
    as not trained.

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
        Names in `SYSTEMS`. Default: all but "scVI + Leiden", which needs the extra ``scvi`` and takes hundreds of epochs;
        for the twin without those in `LONG` too, for its time.
    min_iterations
        Where ten epochs are fewer, all that trains takes more epochs. Default: 300 for the twin, which ends in 17
        minutes on two cores; for a file 1,400, which random starts of a small set need. The paper's ten epochs of
        372,000 cells are 3,630.
    lr
        Learning rate of all that trains on the paper's settings. Default: the published code's; the text names none for
        cells.
    scale
        What trains on the paper's settings is given z-scores of the genes. The text does not say, the published code
        does not: the default for a file. Default for the twin: yes. On its log-normalized expression that network,
        which has no normalization, does not train with 0.1: in the first 50 steps most of its units become 0 for all
        cells, and stay so.
    jobs
        Runs at once, each with one thread and a copy of the cells. Default: for the twin as many as there are cores,
        for a file 1, with all threads.

    Returns
    -------
    A row for each run: ``data``, ``min_iterations``, ``lr``, ``scale``, ``method``, ``seed``, ``accuracy``, ``ari``,
    ``macro_accuracy`` (per cent), ``ged`` (as published) and ``ged_matched`` of those that learn relations,
    ``classes_used``, ``seconds``, ``cpu_seconds``, and ``failed``, which is missing unless the run diverged.

    Raises
    ------
    KeyError
        If a column is missing.
    ValueError
        If ``seeds``, ``jobs`` or ``lr`` is out of range, a method is unknown, or the labels are not nested.
    ImportError
        If Leiden or scVI is asked for and not installed.

    Examples
    --------
    >>> from falcon_sc.benchmarks.paper import pbmc
    >>> table = pbmc.run(simulate=1000, seeds=1, methods=["SCAN-C", "falcon_sc"])  # doctest: +SKIP
    """
    check_int(seeds, "seeds")
    check_int(simulate, "simulate")
    is_twin = data_file is None
    if min_iterations is None:
        min_iterations = TWIN_ITERATIONS if is_twin else 1400
    check_int(min_iterations, "min_iterations")
    if methods is None:
        methods = [name for name in DEFAULTS if not (is_twin and name in LONG)]
    methods = methods_of(methods, SYSTEMS)
    if not 0 < lr < math.inf:
        msg = f"lr={lr} is no learning rate: give a number above 0, such as 0.03."
        raise ValueError(msg)
    n_jobs(jobs)
    if data_file is None:
        atlas = _atlas.twin(simulate)
    else:
        atlas = _atlas.read(data_file, coarse_key=coarse_key, fine_key=fine_key, donor_key=donor_key)
        jobs = jobs or 1
    training = Training(min_iterations, lr, is_twin if scale is None else scale)
    runs = None if out is None else out / "pbmc.csv"
    setting = {"data": atlas.name, **training._asdict()}
    table = complete(runs, setting, methods, seeds, partial(_measure, atlas, training), jobs=jobs)
    beside = beside_the_paper(table, "pbmc", ROWS)
    print(_tables.to_markdown(beside))
    if out is not None:
        _tables.save(beside, out, "pbmc_tables", about=_in_words(setting))
    return table


def _in_words(setting: Mapping[str, Any]) -> str:
    """What was run."""
    scaled = "z-scores" if setting["scale"] else "log-normalized expression"
    return (
        "{data}. At least {min_iterations:,} iterations of all that trains. The paper's settings: a learning rate of {lr}, "
        "{scaled}. (ours): network, optimizer and input of FalconConfig()."
    ).format(**setting, scaled=scaled)


def _measure(atlas: Atlas, training: Training, method: str, seed: int) -> dict[str, Any]:
    began, cpu_began = time.perf_counter(), cpu_seconds()
    result = SYSTEMS[method](atlas, seed, training)
    spent = {"seconds": time.perf_counter() - began, "cpu_seconds": cpu_seconds() - cpu_began}
    fine = np.unique(atlas.fine, return_inverse=True)[1]
    return scores(result, fine, atlas.relation) | spent
