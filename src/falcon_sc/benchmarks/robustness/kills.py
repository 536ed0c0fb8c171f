"""Runs that are killed at random moments: started again with the same checkpoint, they end with the same labels."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.benchmarks import _tables

if TYPE_CHECKING:
    import pandas as pd

_KILLS = 20
_N_OBS = 1500


def run(
    *, out: Path | None = None, kills: int = _KILLS, n_obs: int = _N_OBS, max_epochs: int | None = None
) -> pd.DataFrame:
    """Kill a checkpointed `discover` on simulated cells (SIGKILL), at a random moment of its work, and start it again.

    Parameters
    ----------
    out
        Folder for `kills.csv` and `kills.md`.
    kills
        How many runs are killed, each once.
    n_obs
        Number of cells.
    max_epochs
        Epochs of each run; `None`: as many as by default.

    Returns
    -------
    A row for each run: when it was killed (seconds, share of a whole run), what the checkpoint held by then, and
    whether the run that went on gave the labels of one that was not killed.
    """
    import pandas as pd

    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        began = time.monotonic()
        expected = _finish(_start(Path(scratch) / "whole", n_obs, max_epochs))
        whole = time.monotonic() - began
        for i in range(kills):
            folder, share = Path(scratch) / f"run{i}", float(rng.uniform(0.05, 0.95))
            killed = _start(folder, n_obs, max_epochs)
            time.sleep(share * whole)
            killed.send_signal(signal.SIGKILL)
            killed.communicate()
            held = _held(folder)
            same = _finish(_start(folder, n_obs, max_epochs)) == expected
            rows.append(
                {
                    "run": i,
                    "killed_after_s": share * whole,
                    "share": share,
                    "ended_before": killed.returncode == 0,
                    "held": held,
                    "same_labels": same,
                }
            )
    table = pd.DataFrame(rows)
    print(_tables.to_markdown(table))
    if out is not None:
        _tables.save(table, out, "kills")
    return table


def discover(folder: str, n_obs: int, max_epochs: int | None) -> None:
    """One run, in a process of its own; prints a digest of the labels."""
    import torch

    from falcon_sc.core.runtime import checkpoint
    from falcon_sc.datasets import simulate
    from falcon_sc.tl import discover as run_discover

    torch.set_num_threads(1)
    # write after every epoch: a run of seconds would else keep none
    checkpoint.Checkpoint.__init__.__defaults__ = (0.0,)
    adata = simulate(n_obs, 200, n_coarse=4, n_fine=10, rng=0)
    run_discover(adata, "coarse", 10, device="cpu", progress_bar=False, checkpoint=folder, max_epochs=max_epochs)
    labels = adata.obs["falcon_fine"].cat.codes.to_numpy(dtype=np.int64)
    print(hashlib.sha256(labels.tobytes()).hexdigest())


def _start(folder: Path, n_obs: int, max_epochs: int | None) -> subprocess.Popen[str]:
    arguments = f"{str(folder)!r}, {n_obs}, {max_epochs}"
    code = f"from falcon_sc.benchmarks.robustness.kills import discover; discover({arguments})"
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def _held(folder: Path) -> str:
    """What a checkpoint has of a run that was killed."""
    parts = len(list((folder / "start").glob("*.npz")))
    held = [f"{parts} parts of the start"] * bool(parts)
    held += ["labels of the start"] * (folder / "start.npz").exists() + ["epochs"] * (folder / "training.pt").exists()
    return ", ".join(held) or "nothing"


def _finish(process: subprocess.Popen[str]) -> str:
    printed, _ = process.communicate()
    if process.returncode:
        msg = f"a run ended with exit status {process.returncode}"
        raise RuntimeError(msg)
    return printed.splitlines()[-1]
