"""A method on cells of one number, in a process of its own: seconds, memory and stages of its first call and of later ones."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.benchmarks._machine import cpu_seconds
from falcon_sc.benchmarks.performance._measuring import Clock, Stages, begin_peak_anew, memory_gib

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData
    from numpy.typing import NDArray

AGAIN_BELOW = 60.0  # CPU seconds of the first call: above, imports and compilation are a small part of it
N_WARM = 3  # further calls below: seconds of a single one are off by a tenth, and more
_N_PCS = 50


@dataclass
class Call:
    """One call: seconds and peak memory above what was held before, and CPU and wall seconds of its stages."""

    cpu_s: float
    wall_s: float
    peak_gib: float
    stages: dict[str, tuple[float, float]] = field(default_factory=dict)


def simulated(path: str, n_obs: int, n_genes: int, n_coarse: int, n_fine: int) -> None:
    """Simulate cells, kept in a file: each method then holds nothing but what it read."""
    from falcon_sc.datasets import simulate

    adata = simulate(n_obs, n_genes, n_coarse=n_coarse, n_fine=n_fine, rng=0)
    adata.write_h5ad(path)
    matrix: Any = adata.X
    print(json.dumps((matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes) / 2**30))


def measured(path: str, method: str, n_fine: int, device: str | None, began: float) -> None:
    """Calls of a method, and the scores of the last one. `began`: when the process was started, as `time.time()` says.

    The first call is a cold one: all since the process began counts, imports and compilation, but for the file.
    """
    import anndata

    from falcon_sc.metrics import adjusted_rand_index, clustering_accuracy

    before_reading = Clock()
    adata = anndata.read_h5ad(path)
    reading = before_reading.seconds()
    first, labels = _call(METHODS[method], adata, n_fine, device)
    first.cpu_s, first.wall_s = cpu_seconds() - reading[0], time.time() - began - reading[1]
    calls = [first]
    while first.cpu_s < AGAIN_BELOW and len(calls) <= N_WARM:
        del adata  # what was written to it, and by Leiden its values as well
        adata = anndata.read_h5ad(path)
        again, labels = _call(METHODS[method], adata, n_fine, device)
        calls.append(again)
    scores = {
        "accuracy": clustering_accuracy(adata.obs["fine"], labels),
        "ari": adjusted_rand_index(adata.obs["fine"], labels),
    }
    print(json.dumps({"calls": [asdict(call) for call in calls], **scores}))


def _call(method: Callable[..., Any], adata: AnnData, n_fine: int, device: str | None) -> tuple[Call, Any]:
    begin_peak_anew()
    held, clock = memory_gib("VmRSS"), Clock()
    stages = Stages(clock)
    labels = method(adata, n_fine, device, stages)
    cpu, wall = clock.seconds()
    return Call(cpu, wall, memory_gib("VmHWM") - held, stages.lengths()), labels


def _discover(adata: AnnData, n_fine: int, device: str | None, stages: Stages) -> NDArray[np.str_]:
    """`tl.discover` with its defaults."""
    from falcon_sc.tl import discover

    with stages.of_log():
        discover(adata, "coarse", n_fine, device=device, progress_bar=False)
    stages.end("writing")
    return adata.obs["falcon_fine"].to_numpy(dtype=np.str_)


def _leiden(adata: AnnData, n_fine: int, _device: str | None, stages: Stages) -> NDArray[np.int64]:
    """The loop that people write, made fair: inside each coarse class, one resolution bisected until the total is right."""
    import scanpy as sc

    from falcon_sc.baselines import FairLeiden

    sc.pp.normalize_total(adata)
    sc.pp.log1p(adata)
    sc.pp.pca(adata, n_comps=min(_N_PCS, *(size - 1 for size in adata.shape)))
    stages.end("principal components")
    scores: Any = adata.obsm["X_pca"]
    labels: NDArray[np.int64] = FairLeiden(n_fine).fit(scores, adata.obs["coarse"]).labels_
    stages.end("loop over resolutions")
    return labels


METHODS = {"discover": _discover, "Leiden": _leiden}
