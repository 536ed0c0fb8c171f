"""The figure of the benchmark on cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from falcon_sc.benchmarks.cells._methods import BOUND, ORACLE

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

_PANELS = {"accuracy": "ACC, %", "macro_accuracy": "macro ACC, %", "ari": "ARI, %"}


def plot(summary: pd.DataFrame, path: Path) -> None:
    """A dot a data set and method, with its spread over seeds; oracles are hollow, the bound is a cross."""
    from matplotlib.figure import Figure

    sets = list(dict.fromkeys(summary["data"]))
    figure = Figure(figsize=(11, 1.6 + 0.5 * len(sets)), layout="constrained")
    axes = figure.subplots(1, len(_PANELS), sharey=True)
    for position, (method, rows) in enumerate(summary.groupby("method", sort=False)):
        kind = rows["kind"].iloc[0]
        style = {
            "fmt": "x" if kind == BOUND else "o",
            "color": "0.3" if kind == BOUND else f"C{position % 10}",
            "markerfacecolor": "none" if kind == ORACLE else None,
            "markersize": 5,
            "linewidth": 1,
        }
        # methods of a data set lie a little apart, in the order of the legend
        y = [sets.index(name) + 0.06 * (position - (summary["method"].nunique() - 1) / 2) for name in rows["data"]]
        for ax, score in zip(axes, _PANELS, strict=True):
            ax.errorbar(rows[score], y, xerr=rows[f"{score}_sd"].fillna(0), label=method, **style)
    for ax, label in zip(axes, _PANELS.values(), strict=True):
        ax.set_xlabel(label)
        ax.grid(axis="x", color="#ececec", linewidth=0.8)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_yticks(range(len(sets)), sets)
    axes[0].invert_yaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)
