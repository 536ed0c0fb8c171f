"""Time and memory of what reads the matrix, or of all of `discover`, from memory and from disk, each in a process of its own."""

from __future__ import annotations

import json
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.benchmarks import _tables
from falcon_sc.benchmarks._machine import cpu_seconds
from falcon_sc.benchmarks.performance._measuring import Clock, in_own_process, memory_gib

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData

_CELLS = (100_000,)
_WAYS = ("memory", "zarr", "h5ad")
_ROWS = 10_000  # of a chunk
_SIMULATED = 100_000  # cells at most; larger stores hold them several times, which says as much about reading them
_N_FINE = 83


def run(
    *, out: Path | None = None, cells: Sequence[int] = _CELLS, ways: Sequence[str] = _WAYS, whole: bool = False
) -> pd.DataFrame:
    """Choose genes, project, and read every coarse class as the start does: simulated counts, 2,000 genes, 27 coarse classes.

    With `whole`, all of `discover`, 83 fine classes, with its defaults.
    The store is zarr as anndata writes it, or h5ad without compression. Memory is the peak of the whole process, and
    what it held before anything was opened. Times in CPU seconds, of all threads; of the whole also as they pass, and both
    over those in memory, into which the cells are read before the clock starts.

    Parameters
    ----------
    out
        Folder for `on_disk.csv` and `on_disk.md`.
    cells
        Numbers of cells; multiples of 100,000 above that, which is held several times, but not with `whole`.
    ways
        "memory", "zarr", "h5ad".
    whole
        Measure `discover` instead of what reads the matrix.

    Raises
    ------
    ValueError
        A way that is none of these.
    """
    import pandas as pd

    for way in ways:
        if way not in _WAYS:
            msg = f"--ways: {way!r} is none of {', '.join(_WAYS)}."
            raise ValueError(msg)
    rows: list[dict[str, Any]] = []
    for size in cells:
        with tempfile.TemporaryDirectory() as folder:
            in_own_process(__name__, "write", size, folder, size if whole else _SIMULATED)
            measured = "measure_whole" if whole else "measure"
            rows += [in_own_process(__name__, measured, way, folder) for way in ways]
    table = _with_ratios(pd.DataFrame(rows)) if whole else pd.DataFrame(rows)
    print(_tables.to_markdown(table))
    if out is not None:
        _tables.save(table, out, "on_disk")
    return table


def _with_ratios(table: pd.DataFrame) -> pd.DataFrame:
    """Times over those of as many cells in memory; NaN where these were not measured."""
    in_memory = table[table["from"] == "memory"].set_index("n_obs")
    for kind in ("cpu", "wall"):
        table[f"{kind}_ratio"] = table[f"{kind}_s"] / table["n_obs"].map(in_memory[f"{kind}_s"])
    return table


def write(n_obs: int, folder: str, simulated: int) -> None:
    """Both stores of one size; beyond the number that is simulated, the cells are held several times."""
    from anndata.experimental import concat_on_disk

    from falcon_sc.datasets import simulate

    adata, n_times = simulate(min(n_obs, simulated), 2_000, n_coarse=27, n_fine=_N_FINE, rng=0), n_obs // simulated
    once = Path(folder) / "once"
    once.mkdir()
    for form, save in (("zarr", adata.write_zarr), ("h5ad", adata.write_h5ad)):
        name = f"cells.{form}"
        save(once / name)
        if n_times > 1:
            concat_on_disk([once / name] * n_times, Path(folder) / name)
        else:
            (once / name).rename(Path(folder) / name)
    print(n_obs)


def measure(way: str, folder: str) -> None:
    """One way to read; prints a line of JSON."""
    from falcon_sc.core.data.projection import fit_projection
    from falcon_sc.core.start.coarse_classes import CoarseClasses
    from falcon_sc.tl._inputs import read_inputs

    held, begin = memory_gib("VmRSS"), cpu_seconds()
    adata = _open(way, Path(folder))
    codes = adata.obs["coarse"].cat.codes.to_numpy().astype(np.int64)
    times, known = [cpu_seconds()], np.ones(adata.n_obs, dtype=bool)
    inputs = read_inputs(adata, known=known, layer=None, use_rep=None, n_top_genes=1_000, batch=None)
    times.append(cpu_seconds())
    projected = fit_projection(inputs.features, 50, np.random.default_rng(0))(inputs.features)
    times.append(cpu_seconds())
    classes = CoarseClasses(inputs.start, codes)
    n_values = sum(inputs.start.matrix[classes.members(c)].nnz for c in range(len(classes.sizes)))
    times.append(cpu_seconds())
    found = {
        "n_obs": adata.n_obs,
        "from": way,
        "values": int(n_values),
        "open": times[0] - begin,
        "genes": times[1] - times[0],
        "projection": times[2] - times[1],
        "coarse_classes": times[3] - times[2],
        "imports_gib": held,
        "peak_gib": memory_gib("VmHWM"),
        "checksum": float(np.abs(projected).sum(dtype=np.float64)),
    }
    print(json.dumps(found))


def measure_whole(way: str, folder: str) -> None:
    """All of `discover` in one way; prints a line of JSON."""
    from falcon_sc.tl import discover

    held = memory_gib("VmRSS")
    adata = _open(way, Path(folder))
    clock = Clock()
    discover(adata, "coarse", _N_FINE, progress_bar=False)
    cpu, wall = clock.seconds()
    labels = adata.obs["falcon_fine"].cat.codes.to_numpy(dtype=np.int32)
    found = {
        "n_obs": adata.n_obs,
        "from": way,
        "cpu_s": cpu,
        "wall_s": wall,
        "imports_gib": held,
        "peak_gib": memory_gib("VmHWM"),
        "labels": f"{zlib.crc32(labels.tobytes()):08x}",
    }
    print(json.dumps(found))


def _open(way: str, folder: Path) -> AnnData:
    import anndata

    if way == "h5ad":
        return anndata.read_h5ad(folder / "cells.h5ad", backed="r")
    if way == "memory":
        return anndata.read_zarr(folder / "cells.zarr")
    import zarr

    store: Any = zarr.open_group(folder / "cells.zarr", mode="r")
    obs: Any = anndata.io.read_elem(store["obs"])
    var: Any = anndata.io.read_elem(store["var"])
    X = anndata.experimental.read_elem_lazy(store["X"], chunks=(_ROWS, store["X"].attrs["shape"][1]))
    return anndata.AnnData(X, obs=obs, var=var)
