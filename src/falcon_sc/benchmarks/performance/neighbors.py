"""Exact against approximate neighbors of one class, by its size: where the threshold of the default comes from."""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.benchmarks import _tables

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


def run(
    *,
    out: Path | None = None,
    sizes: tuple[int, ...] = (5_000, 10_000, 20_000, 40_000, 80_000),
    n_dims: int = 45,
    n_neighbors: int = 20,
    rng: int = 0,
) -> pd.DataFrame:
    """Time both searches on blobs in `n_dims` dimensions; the first row of pynndescent holds its compilation.

    Parameters
    ----------
    out
        Folder for `neighbors.csv` and `neighbors.md`.
    sizes
        Samples of the class.
    n_dims, n_neighbors
        As in the default of `discover`.
    rng
        Seed.
    """
    import pandas as pd

    from falcon_sc.core.data.neighbors import neighbors_within_classes

    generator = np.random.default_rng(rng)
    rows: list[dict[str, Any]] = []
    for size in sizes:
        centers = generator.normal(size=(10, n_dims))
        X = (centers[generator.integers(0, 10, size)] + generator.normal(size=(size, n_dims))).astype(np.float32)
        codes = np.zeros(size, dtype=np.int64)
        indices, seconds = {}, {}
        for name, exact_max in (("exact", size), ("pynndescent", size - 1)):
            begin = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of numba, about its own code
                indices[name] = neighbors_within_classes(X, codes, n_neighbors, exact_max=exact_max, rng=rng).indices
            seconds[name] = time.perf_counter() - begin
        shared = [
            np.isin(a, b).mean() for a, b in zip(indices["exact"][:1000], indices["pynndescent"][:1000], strict=True)
        ]
        rows.append(
            {
                "samples": size,
                "exact_s": seconds["exact"],
                "pynndescent_s": seconds["pynndescent"],
                "recall": float(np.mean(shared)),
            }
        )
    table = pd.DataFrame(rows)
    print(_tables.to_markdown(table))
    if out is not None:
        _tables.save(table, out, "neighbors")
    return table
