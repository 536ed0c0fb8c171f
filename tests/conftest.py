"""How all tests run, and small data that several of them share."""

from __future__ import annotations

import logging
import os
import pickle
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if sys.dont_write_bytecode:  # or each process that a test starts would compile all of torch anew, for ten seconds
    sys.dont_write_bytecode, os.environ["PYTHONDONTWRITEBYTECODE"] = False, ""
    sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(Path(__file__).parent / "__pycache__")

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, settings
from scipy import sparse
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from anndata import AnnData

# Tiny arrays: a second thread only waits, and on a busy machine makes everything many times slower.
# The variables are for the processes that are started here, those of pytest-xdist too.
os.environ |= {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
if "numba" not in sys.modules:  # it refuses another number than that it began with, and plugins of pytest load it
    os.environ["NUMBA_NUM_THREADS"] = "1"
threadpool_limits(1)  # this process, where a plugin of pytest has loaded numpy before
torch.set_num_threads(1)

# Nothing is timed, so that a busy machine fails no test: no deadline for an example, and no stop-watch while examples are
# drawn. The examples are the same in every run: what fails is the change at hand, and fails again.
settings.register_profile("falcon_sc", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("falcon_sc")


def pytest_runtest_setup() -> None:
    torch.set_num_threads(1)  # numba may share its OpenMP with torch: what scanpy computes leaves another number


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = {
        "gpu": None if torch.cuda.is_available() else "no CUDA device",
        "image": None if find_spec("torchvision") else "torchvision is not installed",
        "leiden": None if find_spec("leidenalg") and find_spec("igraph") else "leidenalg or igraph is not installed",
    }
    for marker, reason in missing.items():
        for item in items:
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> torch.device:
    """Every place a tensor can live; the GPU only where there is one."""
    return torch.device(request.param)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def planted() -> AnnData:
    """240 cells x 160 genes, counts: 3 coarse classes with awkward names, 2 fine classes in each. Do not change it."""
    from anndata import AnnData

    rng = np.random.default_rng(7)
    names = np.array(["B cell", "CD4/CD8 T", "µ glia"])
    fine = rng.permutation(np.repeat(np.arange(6), [60, 30, 40, 20, 55, 35]))
    rates = np.tile(rng.gamma(0.7, 1.5, 160), (6, 1))
    for code in range(6):
        rates[code, 20 * (code // 2) : 20 * (code // 2) + 15] *= 8  # markers of the coarse class
        rates[code, 60 + 12 * code : 72 + 12 * code] *= 8  # markers of the fine class
    counts = rng.poisson(rates[fine] * rng.uniform(0.7, 1.4, (240, 1))).astype(np.float32)
    obs = pd.DataFrame(
        {
            "coarse": pd.Categorical(names[fine // 2]),
            "fine": pd.Categorical(fine.astype(str)),
            "donor": pd.Categorical(np.array(["d1", "d2"])[np.arange(240) % 2]),
        },
        index=[f"cell{i}" for i in range(240)],
    )
    return AnnData(sparse.csr_matrix(counts), obs=obs, var=pd.DataFrame(index=[f"gene{i}" for i in range(160)]))


@pytest.fixture
def cells(planted: AnnData) -> AnnData:
    """A copy of the planted cells, to change at will."""
    return planted.copy()


@pytest.fixture(scope="session")
def plant_tree() -> Callable[[AnnData], None]:
    """Put a tree that is written out below into a result of two fine classes in each of three coarse classes."""
    return _plant_tree


def _plant_tree(adata: AnnData) -> None:
    """Two leaves in each fine class. The first coarse class is split with reason, the second without, the third is an embedding."""
    about = adata.uns["falcon"]
    column, row = np.nonzero(np.asarray(about["M"]).T)
    leaf_coarse, class_of_leaf = np.repeat(column, 2), np.repeat(row, 2)
    sizes = adata.obs["falcon_fine"].value_counts()[about["fine_names"][row]].to_numpy()
    left, right, opens_at, n_left, n_right = [], [], [], [], []
    for c in range(3):
        for one in range(2):  # inside a fine class
            leaf = 4 * c + 2 * one
            left.append(leaf), right.append(leaf + 1), opens_at.append(3 + one)
            n_right.append(sizes[2 * c + one] // 3), n_left.append(sizes[2 * c + one] - n_right[-1])
        left.append(12 + 3 * c), right.append(13 + 3 * c), opens_at.append(2)
        n_left.append(sizes[2 * c]), n_right.append(sizes[2 * c + 1])
    nan = np.nan
    about["tree"] = {
        "left": np.array(left), "right": np.array(right), "coarse": np.repeat(np.arange(3), 3), "leaf_coarse": leaf_coarse,
        "opens_at": np.array(opens_at), "class_of_leaf": class_of_leaf, "n_left": np.array(n_left), "n_right": np.array(n_right),
        "comes_back": np.array([-0.1, 0.67, 0.82, 0, 0, 0.02, nan, nan, nan]),
        "markers": np.array([0.0, 1, 14, 0, 0, 0, nan, nan, nan]),
        "agreement": np.array([0.1, 0.7, 0.95, 0.2, 0.1, 0.5, 0.2, 0.1, 0.6]),
        "depth": np.array([0, 0, 0, 0, 0, 0, 0.1, 0.1, 0.55]),
        "mitochondria": np.array([0.8, 0, 0, 0, 0, 0, nan, nan, nan]),
        "batch": np.full(9, nan),
        "supported": np.array([False, True, True, False, False, False, False, False, True]),
        "gain": np.arange(9.0),
    }  # fmt: skip


@pytest.fixture
def quick() -> dict[str, Any]:
    """Keywords of `tl.discover` for a run of a tenth of a second, whose labels mean little."""
    from falcon_sc import FalconConfig

    return {"config": FalconConfig(start="random"), "max_epochs": 2, "progress_bar": False, "device": "cpu"}


@pytest.fixture
def once_trained() -> Callable[[Callable[[], object]], AbstractContextManager[None]]:
    """A context in which something happens between the end of the training and the end of the run."""
    return _once_trained


@contextmanager
def _once_trained(happens: Callable[[], object]) -> Iterator[None]:
    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage().startswith("training:"):
                happens()

    handler, log = Handler(), logging.getLogger("falcon_sc")
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)


@pytest.fixture
def full_disk() -> Callable[[], AbstractContextManager[None]]:
    """A context in which files can be made and hold nothing, as on a full disk."""
    pytest.importorskip("resource", reason="Windows has no such limits")
    return _full_disk


@contextmanager
def _full_disk() -> Iterator[None]:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def in_workers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """However few the cells are, they are worth the processes that `n_jobs` allows. The functions that ran in one."""
    from falcon_sc.core.start import workers

    run, ran = workers._Worker.run, list[str]()

    def noted(worker: Any, function: Callable[..., Any], *rest: Any) -> Any:
        ran.append(function.__name__)
        return run(worker, function, *rest)

    monkeypatch.setattr(workers, "CELLS_EACH", 1)
    monkeypatch.setattr(workers._Worker, "run", noted)
    return ran


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Callable[[], AbstractContextManager[None]]:
    """A context whose run must keep its state and then be interrupted, as by Ctrl-C."""
    return lambda: _interrupted(monkeypatch)


@contextmanager
def _interrupted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from falcon_sc.core.runtime.checkpoint import Checkpoint

    save = Checkpoint.save_training

    def stop(self: Checkpoint, state: dict[str, Any]) -> None:
        save(self, state)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "is_due", lambda self: True)
        patch.setattr(Checkpoint, "save_training", stop)
        with pytest.raises(KeyboardInterrupt):
            yield


@pytest.fixture
def fingerprint() -> Callable[[AnnData], bytes]:
    """Everything that an object holds, to compare it before and after."""
    return _fingerprint


def _fingerprint(adata: AnnData) -> bytes:
    matrices = {"X": adata.X, **adata.layers, **adata.obsm, **adata.obsp, **adata.varm}
    frames = (adata.obs, adata.var)
    return pickle.dumps(
        (
            {name: _parts(matrix) for name, matrix in matrices.items()},
            [(list(frame.columns), frame.index.tolist(), frame.dtypes.astype(str).tolist()) for frame in frames],
            [pd.util.hash_pandas_object(frame).to_numpy().tobytes() for frame in frames],
            repr(adata.uns),
        )
    )


def _parts(matrix: Any) -> tuple[Any, ...]:
    arrays = [matrix.data, matrix.indices, matrix.indptr] if sparse.issparse(matrix) else [np.asarray(matrix)]
    return type(matrix).__name__, *((array.dtype.str, array.shape, array.tobytes()) for array in arrays)


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[AnnData, str], AnnData]]:
    """Write cells and open them again: ``on_disk(adata, kind)``, kind "backed", "zarr" or "lazy"; several blocks of rows each."""
    pytest.importorskip("dask", reason="the extra `disk` is not installed")
    import anndata

    opened: list[AnnData] = []

    def store(adata: AnnData, kind: str) -> AnnData:
        if kind == "backed":  # in blocks of a few rows, as if it were large
            monkeypatch.setattr("falcon_sc._on_disk.opening._BLOCK", 1 << 15)
            adata.write_h5ad(tmp_path / "cells.h5ad")
            opened.append(anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r"))
            return opened[0]
        import zarr

        adata.write_zarr(tmp_path / "cells.zarr")
        if kind == "lazy":  # one block, and obs as xarray keeps it
            pytest.importorskip("xarray", reason="not installed, and anndata's lazy objects need it")
            return anndata.experimental.read_lazy(tmp_path / "cells.zarr")
        X = zarr.open_group(tmp_path / "cells.zarr", mode="r")["X"]
        X = anndata.experimental.read_elem_lazy(X, chunks=(37, adata.n_vars))
        return anndata.AnnData(X, obs=adata.obs.copy(), var=adata.var.copy())

    yield store
    for adata in opened:
        adata.file.close()
