"""Training throughput: iterations a second of the training loop, by input, batch size, threads and device."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.benchmarks import _tables

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from falcon_sc.core.training.trainer import Trainer

_N_OBS, _N_GENES, _N_COARSE, _N_FINE = 10_000, 2_000, 27, 83


def run(*, out: Path | None = None, n_iterations: int = 30, rng: int = 0) -> pd.DataFrame:
    """Time single iterations of algorithm A1 on simulated cells: 10,000 x 2,000 genes, 27 coarse, 83 fine classes.

    `network` "paper" is the paper's MLP on 2,000 genes, dense or CSR; "default" is ours, on its number of components.

    Parameters
    ----------
    out
        Folder for `speed.csv`, `speed.md` and `speed.png`.
    n_iterations
        Iterations timed, after five that are not.
    rng
        Seed.
    """
    import pandas as pd
    import torch

    rows: list[dict[str, Any]] = []
    devices = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
    before = torch.get_num_threads()
    for device in devices:
        for threads in (1, 2) if device == "cpu" else (before,):
            torch.set_num_threads(threads)
            for network, form in (("paper", "dense"), ("paper", "csr"), ("default", "dense")):
                for batch_size in (128, 1024):
                    seconds = _time(_trainer(network, form, batch_size, device, rng), n_iterations)
                    rows.append(
                        {
                            "device": device,
                            "threads": threads,
                            "network": network,
                            "input": form,
                            "batch": batch_size,
                            "median_ms": 1e3 * float(np.median(seconds)),
                            "fastest_ms": 1e3 * float(seconds.min()),
                            "iterations_per_s": 1 / float(np.median(seconds)),
                        }
                    )
    torch.set_num_threads(before)
    table = pd.DataFrame(rows)
    print(_tables.to_markdown(table))
    if out is not None:
        _tables.save(table, out, "speed")
        _plot(table, out)
    return table


def _trainer(network: str, form: str, batch_size: int, device: str, seed: int) -> Trainer:
    import torch

    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.data.batches import as_samples
    from falcon_sc.core.data.projection import fit_projection
    from falcon_sc.core.data.taxonomy import Taxonomy
    from falcon_sc.core.training.data import TrainingData
    from falcon_sc.core.training.networks import build_mlp_classifier
    from falcon_sc.core.training.trainer import Trainer
    from falcon_sc.datasets import simulate

    rng = np.random.default_rng(seed)
    adata = simulate(_N_OBS, _N_GENES, n_coarse=_N_COARSE, n_fine=_N_FINE, rng=rng)
    X: Any = adata.X
    X = X.log1p()
    config = replace(
        FalconConfig.published() if network == "paper" else FalconConfig(start="random"), batch_size=batch_size
    )
    if network == "default":
        X = fit_projection(X, config.n_pcs or _N_GENES, rng)(X)
    elif form == "dense":
        X = X.toarray()
    codes = adata.obs["coarse"].cat.codes.to_numpy().astype(np.int64)
    fine_parent = np.append(np.arange(_N_COARSE), rng.integers(0, _N_COARSE, _N_FINE - _N_COARSE))
    # which neighbors they are makes no difference to the time; to find them would take most of it
    neighbors = rng.integers(0, _N_OBS, (_N_OBS, config.n_neighbors))
    where = torch.device(device)
    classifier = build_mlp_classifier(X.shape[1], _N_FINE, config, torch.Generator().manual_seed(seed)).to(where)
    data = TrainingData(as_samples(X, where), codes, neighbors, Taxonomy.of(codes))
    relation = np.eye(_N_COARSE, dtype=np.uint8)[fine_parent]
    return Trainer(data, classifier, relation, config, torch.Generator(where).manual_seed(seed))


def _time(trainer: Trainer, n_iterations: int) -> np.ndarray:
    """Seconds of each iteration; on a GPU, the mean of all, since it is only asked once, at the end."""
    import torch

    device = trainer.batches.device
    used = torch.zeros(_N_FINE, device=device)
    batches = itertools.chain.from_iterable(trainer.batches.epoch(0) for _ in itertools.count())
    for batch, rows in itertools.islice(batches, 5):
        trainer.iterate(batch, rows, used)
    seconds = []
    if device.type == "cuda":
        torch.cuda.synchronize()
    begin = time.perf_counter()
    for _ in range(n_iterations):
        start = time.perf_counter()
        trainer.iterate(*next(batches), used)
        seconds.append(time.perf_counter() - start)
    if device.type == "cuda":
        torch.cuda.synchronize()
        return np.full(1, (time.perf_counter() - begin) / n_iterations)
    return np.asarray(seconds)


def _plot(table: pd.DataFrame, out: Path) -> None:
    from matplotlib.figure import Figure

    labels = table["device"] + " x" + table["threads"].astype(str) + ", " + table["network"] + " " + table["input"]
    figure = Figure(figsize=(7, 4), layout="constrained")
    ax = figure.subplots()
    for offset, batch in ((-0.2, 128), (0.2, 1024)):
        part = table["batch"] == batch
        ax.barh(np.arange(part.sum()) + offset, table.loc[part, "median_ms"], height=0.38, label=f"batch {batch}")
    ax.set_yticks(np.arange(labels.nunique()), labels.drop_duplicates())
    ax.invert_yaxis()
    ax.set_xlabel("milliseconds an iteration (median)")
    ax.legend()
    figure.savefig(out / "speed.png", dpi=150)
