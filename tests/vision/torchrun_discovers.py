"""What `torchrun` runs for test_distributed.py: python -m torch.distributed.run ... torchrun_discovers.py FOLDER ..."""

from __future__ import annotations

import os
import pickle
import sys
from datetime import timedelta
from pathlib import Path

import torch
from digits import discover_in_adata, discover_without_chance


def main(folder: Path, device: str, backend: str) -> None:
    torch.set_num_threads(1)
    if backend != "own":  # else `discover` makes the group
        torch.distributed.init_process_group(backend, timeout=timedelta(seconds=120))
    found = {"images": discover_without_chance(device)}
    if device == "cpu":
        found["adata"] = discover_in_adata()
    (folder / f"found{os.environ['RANK']}.pkl").write_bytes(pickle.dumps(found))
    if backend != "own":
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
