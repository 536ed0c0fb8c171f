"""Time and memory of `discover` on an embedding of many cells, and of `predict` for as many others, stage by stage."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.benchmarks import _tables
from falcon_sc.benchmarks.performance._measuring import Clock, Stages, begin_peak_anew, in_own_process, memory_gib

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData

_CELLS = (100_000,)
_N_DIMS, _N_COARSE, _N_FINE = 50, 27, 83
_COARSE_SD, _FINE_SD = 1.0, 0.4  # of the means of classes in each dimension; of the cells around them 1
_BLOCK = 100_000  # cells that are made at once


def run(*, out: Path | None = None, cells: Sequence[int] = _CELLS, device: str | None = None) -> pd.DataFrame:
    """Run `discover` with its defaults on embeddings with 50 dimensions, 27 coarse and 83 planted fine classes.

    Then, in another process, `predict` for as many other cells of the same classes, with the model that was saved.
    Memory is the peak of the whole process, libraries and cells included; `held_gib` is what it held before.

    Parameters
    ----------
    out
        Folder for `embedding.csv` and `embedding.md`.
    cells
        Numbers of cells; ten million are 2 GB, and take half an hour on one core.
    device
        Where to compute; `None`: a GPU if there is one.

    Returns
    -------
    A row for each number of cells and each call or stage, with CPU and wall seconds; accuracy and adjusted Rand index
    are those of the planted fine classes.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for size in cells:
        with tempfile.TemporaryDirectory() as folder:
            for measured in ("measured_discover", "measured_predict"):
                rows += in_own_process(__name__, measured, size, folder, device)
    table = pd.DataFrame(rows)
    print(_tables.to_markdown(table))
    if out is not None:
        _tables.save(table, out, "embedding")
    return table


def measured_discover(n_obs: int, folder: str, device: str | None) -> None:
    """`discover`, whose model goes to the folder; prints its rows of the table."""
    from falcon_sc.tl import discover

    cells, fine = planted(n_obs, 0)
    held = _held()
    stages = Stages(clock := Clock())
    with stages.of_log():
        discover(
            cells, "coarse", _N_FINE, use_rep="X_latent", device=device, save_model=Path(folder), progress_bar=False
        )
    stages.end("writing")
    rows = [_row("discover", clock.seconds(), held, cells, fine)]
    rows += [
        {"what": f"discover: {stage}", "cpu_s": cpu, "wall_s": wall} for stage, (cpu, wall) in stages.lengths().items()
    ]
    print(json.dumps([{"n_obs": n_obs} | row for row in rows]))


def measured_predict(n_obs: int, folder: str, device: str | None) -> None:
    """`predict` for other cells; prints its row of the table."""
    from falcon_sc.core.model import Falcon
    from falcon_sc.tl import predict

    cells, fine = planted(n_obs, 1)
    held, clock = _held(), Clock()
    predict(cells, Falcon.load(folder, device=device), use_rep="X_latent", coarse_key="coarse")
    print(json.dumps([{"n_obs": n_obs} | _row("predict", clock.seconds(), held, cells, fine)]))


def _held() -> float:
    begin_peak_anew()
    return memory_gib("VmRSS")


def _row(what: str, took: tuple[float, float], held: float, cells: AnnData, fine: np.ndarray) -> dict[str, Any]:
    peak = memory_gib("VmHWM")  # before the scores
    from falcon_sc.metrics import adjusted_rand_index, clustering_accuracy

    found = cells.obs["falcon_fine"].cat.codes.to_numpy()
    return {
        "what": what,
        "cpu_s": took[0],
        "wall_s": took[1],
        "held_gib": held,
        "peak_gib": peak,
        "accuracy": clustering_accuracy(fine, found),
        "ari": adjusted_rand_index(fine, found),
    }


def planted(n_obs: int, seed: int) -> tuple[AnnData, np.ndarray]:
    """Cells without genes, their embedding (n x 50, float32) made a block at a time, and their fine classes (n).

    The classes, with sizes of a Gini coefficient of 0.5, are the same whatever the seed, which draws the cells.
    """
    import pandas as pd
    from anndata import AnnData

    from falcon_sc.datasets._class_sizes import shared_out, sizes_with_gini

    classes, draws = np.random.default_rng(0), np.random.default_rng((1, seed))
    children = classes.permutation(1 + shared_out(_N_FINE - _N_COARSE, np.arange(_N_COARSE) + 0.5))
    coarse_of = np.repeat(np.arange(_N_COARSE), children)
    means = classes.normal(0, _COARSE_SD, (_N_COARSE, _N_DIMS))[coarse_of]
    means = (means + classes.normal(0, _FINE_SD, (_N_FINE, _N_DIMS))).astype(np.float32)
    shares = classes.permutation(sizes_with_gini(100 * _N_FINE**2, _N_FINE, 0.5)) / (100 * _N_FINE**2)
    fine = draws.choice(_N_FINE, n_obs, p=shares).astype(np.int8)
    fine[:_N_FINE] = np.arange(_N_FINE)  # none is empty
    X = np.empty((n_obs, _N_DIMS), dtype=np.float32)
    for begin in range(0, n_obs, _BLOCK):
        block = slice(begin, begin + _BLOCK)
        draws.standard_normal(out=X[block], dtype=np.float32)
        X[block] += means[fine[block]]
    names = pd.Index([f"c{c:02d}" for c in range(_N_COARSE)])
    obs = pd.DataFrame(
        {"coarse": pd.Categorical.from_codes(coarse_of[fine], names)}, index=pd.RangeIndex(n_obs).astype(str)
    )
    cells = AnnData(obs=obs)
    cells.obsm["X_latent"] = X
    return cells, fine
