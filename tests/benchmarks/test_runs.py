from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from joblib import wrap_non_picklable_objects

from falcon_sc.benchmarks._runs import complete, n_jobs
from falcon_sc.core.start.parallel import n_threads

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ASKED = [{"data": data, "seed": seed} for data in ("a", "b") for seed in range(3)]


def test_processes_give_what_one_gives_and_have_one_core_each(tmp_path: Path) -> None:
    @wrap_non_picklable_objects  # other processes cannot import what tests hold
    def measured(run: Mapping[str, Any]) -> dict[str, Any]:
        rng = np.random.default_rng(run["seed"])
        values = rng.normal(size=(50, 50)) + len(run["data"])
        return {"score": float((values @ values).sum()), "process": os.getpid(), "threads": n_threads(None)}

    before = os.environ.get("LOKY_MAX_CPU_COUNT")
    alone = complete(None, ASKED, measured)
    path = tmp_path / "new" / "runs.csv"
    complete(path, ASKED[1:3], measured)
    beside = complete(path, ASKED, measured, jobs=2)
    assert beside[["data", "seed"]].to_dict("records") == ASKED
    assert beside["score"].tolist() == pytest.approx(alone["score"].tolist(), rel=1e-12)
    others = beside[beside["process"] != os.getpid()]
    assert len(others) == len(ASKED) - 2  # what the file had was not run again
    assert others["threads"].tolist() == [1] * len(others)
    assert len(pd.read_csv(path)) == len(ASKED)
    assert os.environ.get("LOKY_MAX_CPU_COUNT") == before


def test_a_killed_table_keeps_what_ended(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    with pytest.raises(ZeroDivisionError):
        complete(path, ASKED, lambda run: {"score": 1 / (2 - run["seed"])})
    assert pd.read_csv(path)["seed"].tolist() == [0, 1]
    again = complete(path, ASKED, lambda run: {"score": -1.0})
    assert again["score"].tolist() == [0.5, 1.0, -1.0, -1.0, -1.0, -1.0]


KILLED = """
import os, sys, time
from pathlib import Path
from joblib import wrap_non_picklable_objects
from falcon_sc.benchmarks._runs import complete

if __name__ == "__main__":
    folder = Path(sys.argv[1])

    @wrap_non_picklable_objects
    def measured(run):
        (folder / f"{os.getpid()}.pid").touch()
        if run["seed"] == 1:
            (folder / "measuring").touch()
            time.sleep(600)
        return {}

    complete(None, [{"seed": seed} for seed in range(2)], measured, jobs=2)
"""


def test_a_killed_table_leaves_no_process_behind(tmp_path: Path) -> None:
    """Neither one that measures nor one that waits for more: each holds its data."""
    script = tmp_path / "table.py"
    script.write_text(KILLED, encoding="utf-8")
    with subprocess.Popen([sys.executable, script, tmp_path], stdout=subprocess.PIPE) as table:
        end = time.monotonic() + 120
        while not (tmp_path / "measuring").exists():
            assert time.monotonic() < end
            time.sleep(0.1)
        table.kill()
        try:
            table.communicate(timeout=30)  # until the last process that writes there is gone
        finally:
            for file in tmp_path.glob("*.pid"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(file.stem), signal.SIGKILL)


def test_jobs() -> None:
    assert n_jobs(3) == 3
    assert n_jobs(None) >= 1
    with pytest.raises(ValueError, match="jobs"):
        n_jobs(0)
