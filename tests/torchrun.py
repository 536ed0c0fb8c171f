"""Calls made by two real processes, as `torchrun` starts them: python -m torch.distributed.run ... torchrun.py FOLDER."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
FOR_EVER = 1800  # seconds: two processes that wait for each other; no busy machine takes so long


def in_two_processes(calls: dict[str, Callable[[], Any]], folder: Path) -> list[dict[str, Any]]:
    """What each call gave in either process, in this order; of a ValueError what it says.

    One launch for many calls: most of it is importing torch.
    """
    (folder / "calls.pkl").write_bytes(pickle.dumps(calls))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", __file__, folder]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(launch, env=environment, timeout=FOR_EVER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [pickle.loads((folder / f"found{rank}.pkl").read_bytes()) for rank in range(2)]


def main(folder: Path) -> None:
    found = {}
    for name, call in pickle.loads((folder / "calls.pkl").read_bytes()).items():
        try:
            found[name] = call()
        except ValueError as error:
            found[name] = str(error)
    (folder / f"found{os.environ['RANK']}.pkl").write_bytes(pickle.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
