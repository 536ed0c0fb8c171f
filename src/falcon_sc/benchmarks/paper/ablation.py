"""Tables 4, 5, 6, J1, M1, N1 to N5 and O1 of the paper, on digits: its rows, and its values beside ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import check_int
from falcon_sc.benchmarks import _machine, _tables
from falcon_sc.benchmarks._asked import chosen
from falcon_sc.benchmarks.paper._ablation_runs import measure
from falcon_sc.benchmarks.paper._ablation_tables import TABLES, Cell
from falcon_sc.benchmarks.paper._runs import complete

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pandas as pd

_ABOUT = """Digits of scikit-learn, test samples; means and standard deviations over the seeds, per cent.
In brackets the paper's values, which are of other data: ten digits stand for CIFAR-100, seven for CIFAR68.
"""


def run(
    *, out: Path | None = None, seeds: int = 3, tables: Sequence[str] = tuple(TABLES), steps: int = 800
) -> pd.DataFrame:
    """Run what the tables need, each run once, and lay them out as the paper does.

    The text of the paper for CIFAR-100 and CIFAR68 (:meth:`falcon_sc.FalconConfig.cifar100`), with batches of 128 and
    one hidden layer on 64 pixels, from random weights. Two thirds of the samples are trained on and the
    others scored, without their coarse labels. T1 is even and odd, T2 up to four and from five; as CIFAR68 lacks 32
    classes, so seven digits lack 5, 7 and 9, which leaves five even ones and two odd ones. Of table O1 the three data sets that have no
    such likeness are left out.

    Parameters
    ----------
    out
        Folder for ``ablation.csv`` (a row a run), ``ablation_tables.csv`` (a row a value of a table) and
        ``ablation_tables.md``. Runs that are in ``ablation.csv`` are not run again. None: nothing is written.
    seeds
        Number of seeds, 0 to `seeds` - 1; the split stays the same.
    tables
        Names in `TABLES`.
    steps
        Steps of every run, at least; on half of the samples as well.

    Returns
    -------
    A row for each value of the tables: ``table``, ``row``, ``column``, ``mean``, ``std``, ``seeds``, ``paper``. Where a
    run diverged, NaN.

    Raises
    ------
    ValueError
        If ``seeds`` or ``steps`` is less than 1, or a table is unknown.

    Examples
    --------
    >>> from falcon_sc.benchmarks.paper import ablation
    >>> table = ablation.run(tables=["5"], seeds=1)  # doctest: +SKIP
    """
    import pandas as pd

    check_int(seeds, "seeds")
    check_int(steps, "steps")
    tables = chosen(tables, TABLES, "tables")
    asked = {one.name: one for name in tables for one in TABLES[name].runs}
    runs = complete(
        None if out is None else out / "ablation.csv",
        {"steps": steps},
        list(asked),
        seeds,
        lambda name, seed: measure(asked[name], seed, steps),
    )
    values = pd.DataFrame([value for name in tables for value in _values(name, runs)])
    text = _ABOUT + "".join(_laid_out(name, runs) for name in tables)
    print(text)
    if out is not None:
        values.to_csv(out / "ablation_tables.csv", index=False)
        machine = ", ".join(f"{key} {value}" for key, value in _machine.describe().items())
        (out / "ablation_tables.md").write_text(f"{text}\nMeasured on: {machine}\n", encoding="utf-8")
    return values


def _values(name: str, runs: pd.DataFrame) -> Iterable[dict[str, Any]]:
    """The values of a table, one by one."""
    for row in TABLES[name].rows:
        label = ", ".join(text for text in row.values() if isinstance(text, str))
        for column, cell in row.items():
            if isinstance(cell, Cell):
                scores = runs.loc[runs["method"] == cell.run.name, cell.score]
                spread = scores.std(skipna=False) if len(scores) > 1 else np.nan
                about = {"mean": scores.mean(skipna=False), "std": spread, "seeds": len(scores), "paper": cell.paper}
                yield {"table": name, "row": label, "column": column, **about}


def _laid_out(name: str, runs: pd.DataFrame) -> str:
    """A table in the layout of the paper, as Markdown, with its values in brackets."""
    import pandas as pd

    values = {(value["row"], value["column"]): value for value in _values(name, runs)}
    rows = []
    for row in TABLES[name].rows:
        label = ", ".join(text for text in row.values() if isinstance(text, str))
        rows.append({c: cell if isinstance(cell, str) else _text(values[label, c]) for c, cell in row.items()})
    text = f"\n## Table {name}: {TABLES[name].title}\n\n{_tables.to_markdown(pd.DataFrame(rows))}"
    estimated = [one for one in TABLES[name].runs if one.n_fine == "estimated"]
    for one in estimated:
        found = runs.loc[runs["method"] == one.name].sort_values("seed")["n_fine"].dropna().astype(int)
        text += f"\nEstimated for {one.data} digits: {', '.join(map(str, found))}.\n"
    return text


def _text(value: dict[str, Any]) -> str:
    if np.isnan(value["mean"]):
        return f"failed ({value['paper']:.1f})"
    spread = "" if np.isnan(value["std"]) else f" ± {value['std']:.1f}"
    return f"{value['mean']:.1f}{spread} ({value['paper']:.1f})"
