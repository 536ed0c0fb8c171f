"""Time and memory of a whole `discover` against the number of cells, and beside a Leiden loop, stage by stage."""

from __future__ import annotations

import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.benchmarks import _tables
from falcon_sc.benchmarks.performance import _one_size
from falcon_sc.benchmarks.performance._measuring import in_own_process
from falcon_sc.benchmarks.performance._one_size import METHODS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

_IN = _one_size.__name__
_CELLS = (3_000, 10_000, 100_000, 1_000_000)
_LEIDEN_UP_TO = 20_000  # cells: the loop bisects up to 25 times
_GROWS_FROM = 10_000  # cells: below, time does not grow with their number but with that of the classes


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
    the total is `n_fine`. Both in processes of their own: the first call is cold, all since the process began counts,
    imports and compilation too; of three more, which are warm, the one in the middle by CPU time is shown, with its
    stages. Where the first takes more than a minute of CPU time it stands for all. Beyond 20,000 cells Leiden is not run.
    Memory is the peak of the process in the first call above what it held before, which is the data: libraries that
    are imported by then, 0.6 GiB with torch, are in it.

    Parameters
    ----------
    out
        Folder for `scale.csv`, `scale.md` and `scale.png`.
    cells
        Numbers of cells; a million of them take several minutes and a file of 2 GB.
    device
        Where to train; `None`: a GPU if there is one.
    n_genes, n_coarse, n_fine
        Of the simulated cells; their fine classes have a Gini coefficient of 0.5.

    Returns
    -------
    A row for each number of cells and each call or stage, with CPU and wall seconds; `cpu_ratio` and `wall_ratio`
    divide them by those of Leiden: cold by cold, all else by warm. What is printed below, and stands above the table in
    `scale.md`, are the growth exponents: slopes of the logarithms over the numbers of cells from 10,000 on.
    """
    import pandas as pd

    methods = list(METHODS) if find_spec("leidenalg") and find_spec("igraph") else ["discover"]
    rows: list[dict[str, Any]] = []
    for size in cells:
        rows += _rows_of(size, methods, device, (n_genes, n_coarse, n_fine))
    table = pd.DataFrame(rows)
    print(_tables.to_markdown(table))
    about = ""
    if len(set(cells)) > 1:
        about = f"Growth exponents:\n\n{_tables.to_markdown(_growth(table))}"
        print(about)
    if out is not None:
        _tables.save(table, out, "scale", about=about)
        _plot(table, out)
    return table


def _rows_of(size: int, methods: list[str], device: str | None, shape: tuple[int, int, int]) -> list[dict[str, Any]]:
    beyond = ["Leiden"] if "Leiden" in methods and size > _LEIDEN_UP_TO else []
    methods = [what for what in methods if what not in beyond]
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "cells.h5ad")
        input_gib = in_own_process(_IN, "simulated", path, size, *shape)
        found = {what: in_own_process(_IN, "measured", path, what, shape[2], device, time.time()) for what in methods}
    rows: list[dict[str, Any]] = [{"n_obs": size, "what": f"{what}: not run"} for what in beyond]
    leiden = found.get("Leiden")
    beside_cold, beside_warm = (leiden["calls"][0], _warm(leiden)) if leiden else (None, None)
    for what, result in found.items():
        cold, warm = result["calls"][0], _warm(result)
        scores = {"accuracy": result["accuracy"], "ari": result["ari"]}
        rows.append(_row(size, f"{what}, cold", cold, beside_cold))
        peak = {"peak_gib": cold["peak_gib"]}  # later calls find memory that the first has left behind
        rows.append(_row(size, what, warm | peak, beside_warm) | {"input_gib": input_gib} | scores)
        for stage, (cpu, wall) in warm["stages"].items():
            rows.append(_row(size, f"{what}: {stage}", {"cpu_s": cpu, "wall_s": wall}, beside_warm))
    return rows


def _warm(result: dict[str, Any]) -> dict[str, Any]:
    """Of the calls after the first, which stands for them where it is the only one, that in the middle."""
    calls: list[dict[str, Any]] = sorted(result["calls"][1:] or result["calls"], key=lambda call: call["cpu_s"])
    return calls[len(calls) // 2]


def _row(size: int, what: str, took: dict[str, Any], beside: dict[str, Any] | None) -> dict[str, Any]:
    ratios = {
        f"{kind}_ratio": took[f"{kind}_s"] / beside[f"{kind}_s"] if beside else np.nan for kind in ("cpu", "wall")
    }
    seconds = {name: took[name] for name in ("cpu_s", "wall_s")}
    return {"n_obs": size, "what": what, **seconds, **ratios, "peak_gib": took.get("peak_gib", np.nan)}


def _growth(table: pd.DataFrame) -> pd.DataFrame:
    """Exponents of what was measured at several numbers of cells, from 10,000 on where two of them are that large."""
    import pandas as pd

    large = table[table["n_obs"] >= _GROWS_FROM]
    table = large if large["n_obs"].nunique() > 1 else table
    rows = []
    for what, own in table[table["cpu_s"].notna()].groupby("what", sort=False):
        if len(own) > 1:
            sizes = {"from": int(own["n_obs"].min()), "to": int(own["n_obs"].max())}
            slopes = {name: _slope(own["n_obs"], own[name]) for name in ("cpu_s", "wall_s", "peak_gib")}
            rows.append({"what": what, **sizes, **slopes})
    return pd.DataFrame(rows)


def _slope(sizes: pd.Series, took: pd.Series) -> float:
    """Of the logarithms; NaN where something took no time that can be measured."""
    if not (took > 0).all():
        return np.nan
    return float(np.polyfit(np.log(sizes), np.log(took), 1)[0])


def _plot(table: pd.DataFrame, out: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3), layout="constrained")
    for ax, name, label in zip(figure.subplots(1, 2), ("wall_s", "peak_gib"), ("seconds", "peak, GiB"), strict=True):
        for what in METHODS:
            whole = table[table["what"] == what]
            ax.plot(whole["n_obs"], whole[name], "o-", label=what)
        ax.set_xscale("log")
        ax.set_xlabel("cells")
        ax.set_ylabel(label)
        ax.xaxis.set_major_formatter("{x:,.0f}")
    seconds, memory = figure.axes
    seconds.set_yscale("log")
    seconds.yaxis.set_major_formatter("{x:g}")
    memory.set_ylim(bottom=0)
    memory.legend()
    figure.savefig(out / "scale.png", dpi=150)
