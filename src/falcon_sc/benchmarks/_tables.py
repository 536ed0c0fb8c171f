"""Tables of benchmarks: Markdown to read, CSV to work with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from falcon_sc.benchmarks import _machine

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


def to_markdown(df: pd.DataFrame) -> str:
    """Lay a table out in Markdown, columns aligned; floats with three significant digits, missing ones as ``-``."""
    cells = [[str(name) for name in df.columns]]
    cells += [[_cell(value) for value in row] for row in df.itertuples(index=False)]
    width = [max(len(row[j]) for row in cells) for j in range(len(df.columns))]
    lines = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(row, width, strict=True)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in width) + "|")
    return "\n".join(lines) + "\n"


def save(df: pd.DataFrame, out: Path, name: str) -> None:
    """Write ``name.csv`` (full precision) and ``name.md`` (which adds the machine) to the folder ``out``."""
    machine = ", ".join(f"{key} {value}" for key, value in _machine.describe().items())
    out.mkdir(parents=True, exist_ok=True)
    df.to_csv(out / f"{name}.csv", index=False)
    (out / f"{name}.md").write_text(f"{to_markdown(df)}\nMeasured on: {machine}\n", encoding="utf-8")


def _cell(value: object) -> str:
    if value is None or value != value:  # NaN and NA are not equal to themselves
        return "-"
    if not isinstance(value, float):
        return str(value).replace("|", "\\|").replace("\n", " ")
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
