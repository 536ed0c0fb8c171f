from __future__ import annotations

import os
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


def test_jobs() -> None:
    assert n_jobs(3) == 3
    assert n_jobs(None) >= 1
    with pytest.raises(ValueError, match="jobs"):
        n_jobs(0)
