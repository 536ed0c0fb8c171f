"""Time and memory of a whole `discover` against the number of cells, each size in a process of its own."""

from __future__ import annotations

import json
import logging
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.benchmarks import _tables

if TYPE_CHECKING:
    import pandas as pd

_SIZES = (1_000, 10_000, 100_000)


def run(*, out: Path | None = None, sizes: tuple[int, ...] = _SIZES, device: str | None = None) -> pd.DataFrame:
    """Run `discover` with its defaults on simulated cells: 2,000 genes, 27 coarse, 83 fine classes, Gini 0.5.

    Memory is the peak of the process above what it held when `discover` was called (the data and the imports that
    made them). Stages: from the log of the run. Growth exponents: slope of log time and log memory.

    Parameters
    ----------
    out
        Folder for `scale.csv`, `scale.md` and `scale.png`.
    sizes
        Numbers of cells.
    device
        Where to train; `None`: a GPU if there is one.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for size in sizes:
        code = f"from falcon_sc.benchmarks.performance.scale import measure; measure({size}, {device!r})"
        finished = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
        rows.append(json.loads(finished.stdout.splitlines()[-1]))
    table = pd.DataFrame(rows)
    print(_tables.to_markdown(table))
    if len(table) > 1:
        growth = {name: _exponent(table["n_obs"], table[name]) for name in ("seconds", "peak_gib")}
        print("growth exponents: " + ", ".join(f"{name} {value:.2f}" for name, value in growth.items()))
    if out is not None:
        _tables.save(table, out, "scale")
        _plot(table, out)
    return table


def measure(n_obs: int, device: str | None) -> None:
    """One size; prints a line of JSON."""
    from falcon_sc.datasets import simulate
    from falcon_sc.metrics import adjusted_rand_index, clustering_accuracy
    from falcon_sc.tl import discover

    adata = simulate(n_obs, 2_000, n_coarse=27, n_fine=83, rng=0)
    matrix: Any = adata.X
    stages = _Stages()
    logger = logging.getLogger("falcon_sc")
    logger.setLevel(logging.INFO)
    logger.addHandler(stages)
    held = memory_kib("VmRSS")
    begin = time.perf_counter()
    discover(adata, "coarse", 83, device=device, progress_bar=False)
    seconds = time.perf_counter() - begin
    peak = memory_kib("VmHWM")
    fine = adata.obs["falcon_fine"]
    print(
        json.dumps(
            {
                "n_obs": n_obs,
                "seconds": seconds,
                "peak_gib": (peak - held) / 2**20,
                "input_gib": (matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes) / 2**30,
                **stages.shares(begin, begin + seconds),
                "classes_used": int(fine.nunique()),
                "accuracy": clustering_accuracy(adata.obs["fine"], fine),
                "ari": adjusted_rand_index(adata.obs["fine"], fine),
            }
        )
    )


class _Stages(logging.Handler):
    """When the log said that a stage was over."""

    def __init__(self) -> None:
        super().__init__()
        self._ends: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        stage = record.getMessage().partition(":")[0]
        if stage in {"start", "neighbors", "training"}:
            self._ends[stage] = time.perf_counter()

    def shares(self, begin: float, end: float) -> dict[str, float]:
        """Share of the whole time that each stage took; "start" holds the reading and choice of genes too."""
        shares, last = {}, begin
        for stage, at in self._ends.items():
            shares[f"share_{stage}"] = (at - last) / (end - begin)
            last = at
        return shares


def memory_kib(field: str) -> int:
    """Memory of this process: "VmRSS" now, "VmHWM" at its peak. Where there is no /proc, the peak for both."""
    status = Path("/proc/self/status")
    if status.exists():  # the peak of `resource` is inherited from the parent process, this one is not
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(field))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _exponent(sizes: pd.Series, values: pd.Series) -> float:
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def _plot(table: pd.DataFrame, out: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3), layout="constrained")
    for ax, name, label in zip(figure.subplots(1, 2), ("seconds", "peak_gib"), ("seconds", "peak, GiB"), strict=True):
        ax.loglog(table["n_obs"], table[name], "o-")
        ax.set_xlabel("cells")
        ax.set_ylabel(label)
    figure.savefig(out / "scale.png", dpi=150)
