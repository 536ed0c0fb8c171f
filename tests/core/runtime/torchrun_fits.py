"""What `torchrun` runs for test_distributed.py: python -m torch.distributed.run ... torchrun_fits.py FOLDER."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path

import torch

from falcon_sc import Falcon


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    X, coarse, runs = pickle.loads((folder / "runs.pkl").read_bytes())
    found = {}
    for name, (config, checkpoint) in runs.items():
        try:
            model = Falcon(6, config, device="cpu", rng=0).fit(X, coarse, checkpoint=checkpoint)
            found[name] = (model.relation_, model.history_, model.labels_)
        except ValueError as error:
            found[name] = str(error)
    (folder / f"found{os.environ['RANK']}.pkl").write_bytes(pickle.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
