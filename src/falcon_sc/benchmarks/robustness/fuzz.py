"""Odd objects by the hundred: either labels that keep their promises, or an error that names the argument."""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING, Any

from falcon_sc.benchmarks import _tables
from falcon_sc.benchmarks.robustness._contract import outcome
from falcon_sc.benchmarks.robustness._odd_cells import odd_call

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

_MINUTES = 10.0


def run(
    *, out: Path | None = None, minutes: float = _MINUTES, first: int = 0, objects: int | None = None
) -> pd.DataFrame:
    """Call `discover` on odd objects, one for each seed from `first` on, until the time is up.

    Every second object has the consensus start, the others a random one; training is a few steps.

    Parameters
    ----------
    out
        Folder for `fuzz.csv` and `fuzz.md`.
    minutes
        How long.
    first
        First seed.
    objects
        Stop after as many objects, if the time is not up before.

    Returns
    -------
    A row for each object: its seed, what came out ("labels", "refused" or "broken"), the message, and what was odd.
    """
    import pandas as pd
    from tqdm.auto import tqdm

    rows: list[dict[str, Any]] = []
    end = time.monotonic() + 60 * minutes
    with tqdm(total=objects, desc="odd objects", unit="object") as bar:
        while time.monotonic() < end and (objects is None or len(rows) < objects):
            rows.append(try_one(first + len(rows)))
            bar.update()
    table = pd.DataFrame(rows)
    counts = table["outcome"].value_counts().rename_axis("outcome").reset_index(name="objects")
    print(_tables.to_markdown(counts))
    broken = table[table["outcome"] == "broken"]
    if len(broken):
        print(_tables.to_markdown(broken[["seed", "message", "oddities"]]))
    if out is not None:
        _tables.save(table, out, "fuzz")
    return table


def try_one(seed: int) -> dict[str, Any]:
    """One object and what came of it."""
    from falcon_sc.core.config import FalconConfig

    config = FalconConfig(start="consensus" if seed % 2 else "random", start_n_repeats=1, warmup_iterations=3, n_jobs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call = odd_call(seed)
        what, message = outcome(call, {"config": config, "max_epochs": 1, "progress_bar": False})
    return {"seed": seed, "outcome": what, "message": message, "oddities": ", ".join(call.oddities)}
