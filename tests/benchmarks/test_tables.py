from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd

from falcon_sc.benchmarks import _machine, _tables


def table() -> pd.DataFrame:
    return pd.DataFrame({"name": ["a|b", "c"], "n": [12, 3456], "ms": [0.012345, 7551.3], "gap": [np.nan, 1e-16]})


def test_markdown():
    assert _tables.to_markdown(table()).splitlines() == [
        "| name | n    | ms     | gap   |",
        "|------|------|--------|-------|",
        "| a\\|b | 12   | 0.0123 | -     |",
        "| c    | 3456 | 7,551  | 1e-16 |",
    ]


def test_save_writes_both_forms(tmp_path):
    out = tmp_path / "deep" / "folder"
    _tables.save(table(), out, "speed")
    pd.testing.assert_frame_equal(pd.read_csv(out / "speed.csv"), table())
    text = (out / "speed.md").read_text()
    assert text.startswith(_tables.to_markdown(table()))
    assert "Measured on: python 3." in text


def test_machine_tells_versions_and_processor():
    machine = _machine.describe()
    assert list(machine) == ["python", "falcon-sc", "numpy", "torch", "cpu", "cores"]
    assert machine["numpy"] == np.__version__
    assert str(machine["python"]) == sys.version.split()[0]
    assert machine["cpu"]
    assert int(machine["cores"]) >= 1


def test_cpu_seconds_hold_those_of_processes_that_are_over():
    before = _machine.cpu_seconds()
    subprocess.run([sys.executable, "-c", "sum(range(10**7))"], check=True)  # some tenths of a second
    assert _machine.cpu_seconds() - before > 0.05
