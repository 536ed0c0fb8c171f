"""The text of the paper against the published code, and each departure by itself, on planted blobs."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import check_int
from falcon_sc.benchmarks import _tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from falcon_sc.core.config import FalconConfig

N_COARSE, N_CHILDREN, N_EACH = 4, 5, 100
SWITCHES: dict[str, dict[str, Any]] = {
    "anneal_to_one_hot": {"anneal_to_one_hot": True},
    "drop_lambda_M": {"drop_lambda_M": True},
    "relation_predictions": {"relation_predictions": "teacher"},
    "n_neighbors_per_step": {"n_neighbors_per_step": 5},
    "relation_interval": {"relation_interval": 30},
}


def run(
    *, out: Path | None = None, seeds: int = 3, dims: Sequence[int] = (20,), lengths: Sequence[int] = (40, 130)
) -> pd.DataFrame:
    """Run both presets, and in the shortest runs the text with each departure of the code alone.

    Both start at random, with lambda_3 = 2, lambda_M = 0.1 and batches of 128: 40 epochs are 600 iterations, 130 are
    1,950.

    Parameters
    ----------
    out
        Folder for ``departures.csv`` (a row a run) and ``departures.md``; nothing is written if None.
    seeds
        Number of seeds of the runs, 0 to `seeds` - 1; the blobs stay the same.
    dims
        Dimensions of the blobs.
    lengths
        Of the runs, in epochs.

    Returns
    -------
    A row for each run: ``dims``, ``setting``, ``seed``, ``iterations``, ``relation_updates``, ``classes_used`` (of 20),
    ``accuracy`` and ``ari`` (per cent).

    Raises
    ------
    ValueError
        If ``seeds`` or one of ``dims`` is less than 1.

    Examples
    --------
    >>> from falcon_sc.benchmarks.paper import departures
    >>> table = departures.run(seeds=1, lengths=[40])  # doctest: +SKIP
    """
    import pandas as pd

    check_int(seeds, "seeds")
    for n_dims in dims:
        check_int(n_dims, "dims")
    rows = []
    for n_dims, n_epochs in product(dims, lengths):
        samples = blobs(n_dims)
        for name, config in settings(alone=n_epochs == min(lengths)).items():
            print(f"{n_dims} dimensions, {name}, {n_epochs} epochs", flush=True)
            fixed = replace(config, lambda_3=2.0, lambda_M=0.1, batch_size=128, max_epochs=n_epochs)
            rows += [
                {"dims": n_dims, "setting": name, "seed": seed, **_fit(fixed, seed, *samples)} for seed in range(seeds)
            ]
    table = pd.DataFrame(rows)
    print(_tables.to_markdown(table))
    if out is not None:
        _tables.save(table, out, "departures")
    return table


def settings(*, alone: bool) -> Mapping[str, FalconConfig]:
    """Both presets; with `alone`, also the text with one departure each."""
    from falcon_sc.core.config import FalconConfig

    text = FalconConfig.paper()
    one_each = {f"text, {name} of the code": replace(text, **change) for name, change in SWITCHES.items()}
    return {"text": text, "published code": FalconConfig.published(), **(one_each if alone else {})}


def blobs(n_dims: int = 20) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """2,000 samples (N, `n_dims`) with their coarse and fine classes (N,): 5 blobs in each of 4 coarse classes."""
    rng = np.random.default_rng(0)
    n_fine = N_COARSE * N_CHILDREN
    parent = np.repeat(np.arange(N_COARSE), N_CHILDREN)
    centers = rng.normal(0, 3, (N_COARSE, n_dims))[parent] + rng.normal(0, 2, (n_fine, n_dims))
    fine = rng.permutation(np.repeat(np.arange(n_fine), N_EACH))
    X = centers[fine] + rng.normal(0, 0.35, (len(fine), n_dims))
    return X.astype(np.float32), parent[fine], fine


def _fit(
    config: FalconConfig, seed: int, X: NDArray[np.float32], coarse: NDArray[np.int64], fine: NDArray[np.int64]
) -> dict[str, float]:
    from falcon_sc.core.model import Falcon
    from falcon_sc.metrics import adjusted_rand_index, clustering_accuracy

    model = Falcon(N_COARSE * N_CHILDREN, config, device="cpu", rng=seed).fit(X, coarse)
    return {
        "iterations": int(model.history_["iteration"][-1]),
        "relation_updates": int(model.history_["relation_updates"].sum()),
        "classes_used": len(np.unique(model.labels_)),
        "accuracy": 100 * clustering_accuracy(fine, model.labels_),
        "ari": 100 * adjusted_rand_index(fine, model.labels_),
    }
