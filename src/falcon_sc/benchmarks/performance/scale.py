"""Time and memory of a whole `discover` against the number of cells, and beside a Leiden loop, stage by stage."""

from __future__ import annotations

import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.benchmarks import _tables
from falcon_sc.benchmarks.performance._one_size import METHODS, in_own_process

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

_CELLS = (3_000, 10_000, 100_000)


def run(
    *,
    out: Path | None = None,
    cells: Sequence[int] = _CELLS,
    device: str | None = None,
    n_genes: int = 2_000,
    n_coarse: int = 27,
    n_fine: int = 83,
) -> pd.DataFrame:
    """Run `discover` with its defaults, and a fair Leiden loop, on simulated cells.

    Leiden runs inside each coarse class on 50 principal components, with one resolution for all, bisected until
    the total is `n_fine`. Both in processes of their own, twice: the first call is cold, all since the
    process began counts, imports and compilation too; the second is warm, and its stages are shown. Where the first
    takes more than a minute of CPU time there is no second, and it stands for both.
    Memory is the peak of the process in the first call above what it held before, which is the data: libraries that
    are imported by then, 0.6 GiB with torch, are in it.

    Parameters
    ----------
    out
        Folder for `scale.csv`, `scale.md` and `scale.png`.
    cells
        Numbers of cells; a million of them take an hour and a file of 2 GB.
    device
        Where to train; `None`: a GPU if there is one.
    n_genes, n_coarse, n_fine
        Of the simulated cells; their fine classes have a Gini coefficient of 0.5.

    Returns
    -------
    A row for each number of cells and each call or stage, with CPU and wall seconds; `cpu_ratio` and `wall_ratio`
    divide them by those of Leiden: cold by cold, all else by warm. The growth exponents that are printed are
    slopes of the logarithms.
    """
    import pandas as pd

    methods = list(METHODS) if find_spec("leidenalg") and find_spec("igraph") else ["discover"]
    rows: list[dict[str, Any]] = []
    for size in cells:
        rows += _rows_of(size, methods, device, (n_genes, n_coarse, n_fine))
    table = pd.DataFrame(rows)
    print(_tables.to_markdown(table))
    if len(cells) > 1:
        for what in methods:
            print(f"growth exponents of {what}: {_exponents(table[table['what'] == what])}")
    if out is not None:
        _tables.save(table, out, "scale")
        _plot(table, out)
    return table


def _rows_of(size: int, methods: list[str], device: str | None, shape: tuple[int, int, int]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "cells.h5ad")
        input_gib = in_own_process("simulated", path, size, *shape)
        found = {what: in_own_process("measured", path, what, shape[2], device, time.time()) for what in methods}
    rows = []
    for what, result in found.items():
        cold, warm = result["calls"][0], result["calls"][-1]
        beside = found["Leiden"]["calls"] if "Leiden" in found else [None]
        scores = {"accuracy": result["accuracy"], "ari": result["ari"]}
        rows.append(_row(size, f"{what}, cold", cold, beside[0]))
        peak = {"peak_gib": cold["peak_gib"]}  # a second call finds memory that the first has left behind
        rows.append(_row(size, what, warm | peak, beside[-1]) | {"input_gib": input_gib} | scores)
        for stage, (cpu, wall) in warm["stages"].items():
            rows.append(_row(size, f"{what}: {stage}", {"cpu_s": cpu, "wall_s": wall}, beside[-1]))
    return rows


def _row(size: int, what: str, took: dict[str, Any], beside: dict[str, Any] | None) -> dict[str, Any]:
    ratios = {
        f"{kind}_ratio": took[f"{kind}_s"] / beside[f"{kind}_s"] if beside else np.nan for kind in ("cpu", "wall")
    }
    seconds = {name: took[name] for name in ("cpu_s", "wall_s")}
    return {"n_obs": size, "what": what, **seconds, **ratios, "peak_gib": took.get("peak_gib", np.nan)}


def _exponents(whole: pd.DataFrame) -> str:
    slopes = {
        name: np.polyfit(np.log(whole["n_obs"]), np.log(whole[name]), 1)[0] for name in ("cpu_s", "wall_s", "peak_gib")
    }
    return ", ".join(f"{name} {slope:.2f}" for name, slope in slopes.items())


def _plot(table: pd.DataFrame, out: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3), layout="constrained")
    for ax, name, label in zip(figure.subplots(1, 2), ("wall_s", "peak_gib"), ("seconds", "peak, GiB"), strict=True):
        for what in METHODS:
            whole = table[table["what"] == what]
            ax.loglog(whole["n_obs"], whole[name], "o-", label=what)
        ax.set_xlabel("cells")
        ax.set_ylabel(label)
    ax.legend()
    figure.savefig(out / "scale.png", dpi=150)
