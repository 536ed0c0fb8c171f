"""A method on cells of one number, in a process of its own: seconds, memory and stages of its first and second call."""

from __future__ import annotations

import json
import logging
import resource
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData
    from numpy.typing import NDArray

AGAIN_BELOW = 60.0  # CPU seconds of the first call: above, imports and compilation are a small part of it
_N_PCS = 50
# What is over when the log says a line that begins like this; the first that fits counts.
_ENDS = {
    "start: fine classes": "start",
    "start: the clusterings": "start",
    "start: ": "genes and projection",
    "neighbors: ": "neighbors",
    "training: ": "training",
}


@dataclass
class Call:
    """One call: seconds and peak memory above what was held before, and CPU and wall seconds of its stages."""

    cpu_s: float
    wall_s: float
    peak_gib: float
    stages: dict[str, tuple[float, float]] = field(default_factory=dict)


def in_own_process(function: str, *arguments: object) -> Any:
    """What a function of this file prints as JSON, in a new process."""
    code = f"from {__name__} import {function}; {function}(*{arguments!r})"
    finished = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(finished.stdout.splitlines()[-1])


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

    before_reading = _Clock()
    adata = anndata.read_h5ad(path)
    reading = before_reading.seconds()
    first, labels = _call(METHODS[method], adata, n_fine, device)
    first.cpu_s, first.wall_s = time.process_time() - reading[0], time.time() - began - reading[1]
    calls = [first]
    if first.cpu_s < AGAIN_BELOW:
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
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    held, clock = memory_kib("VmRSS"), _Clock()
    stages = _Stages(clock)
    labels = method(adata, n_fine, device, stages)
    cpu, wall = clock.seconds()
    return Call(cpu, wall, (memory_kib("VmHWM") - held) / 2**20, stages.lengths()), labels


class _Clock:
    def __init__(self) -> None:
        self._began = time.process_time(), time.perf_counter()

    def seconds(self) -> tuple[float, float]:
        """CPU and wall seconds since it was made."""
        return time.process_time() - self._began[0], time.perf_counter() - self._began[1]


class _Stages(logging.Handler):
    """When stages were over, as the log of the package says, or a method itself."""

    def __init__(self, clock: _Clock) -> None:
        super().__init__()
        self._clock = clock
        self._ends: dict[str, tuple[float, float]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        told = record.getMessage()
        over = next((stage for begin, stage in _ENDS.items() if told.startswith(begin)), None)
        if over is not None:
            self.end(over)

    def end(self, stage: str) -> None:
        """A stage is over."""
        self._ends[stage] = self._clock.seconds()

    def lengths(self) -> dict[str, tuple[float, float]]:
        """CPU and wall seconds of every stage."""
        lengths, last = {}, (0.0, 0.0)
        for stage, at in self._ends.items():
            lengths[stage] = at[0] - last[0], at[1] - last[1]
            last = at
        return lengths


def _discover(adata: AnnData, n_fine: int, device: str | None, stages: _Stages) -> NDArray[np.str_]:
    """`tl.discover` with its defaults."""
    from falcon_sc.tl import discover

    logger = logging.getLogger("falcon_sc")
    logger.setLevel(logging.INFO)
    logger.addHandler(stages)
    try:
        discover(adata, "coarse", n_fine, device=device, progress_bar=False)
    finally:
        logger.removeHandler(stages)
    stages.end("writing")
    return adata.obs["falcon_fine"].to_numpy(dtype=np.str_)


def _leiden(adata: AnnData, n_fine: int, _device: str | None, stages: _Stages) -> NDArray[np.int64]:
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


def memory_kib(field: str) -> int:
    """Memory of this process: "VmRSS" now, "VmHWM" at its peak. Where there is no /proc, the peak for both."""
    status = Path("/proc/self/status")
    if status.exists():  # the peak of `resource` is inherited from the parent process, this one is not
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(field))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
