"""Stores that cannot be read, or not be trusted: an error that names the file and the rows, and nothing written."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pytest

import falcon_sc as fsc

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

pytest.importorskip("dask", reason="the extra `disk` is not installed")


@pytest.fixture
def discover(quick) -> Callable[[AnnData], None]:
    """A short run; whatever stops it leaves the object as it was."""

    def run(adata: AnnData) -> None:
        columns = list(adata.obs.columns)
        try:
            fsc.tl.discover(adata, "coarse", 6, **quick)
        except Exception:
            assert list(adata.obs.columns) == columns
            assert not list(adata.obsm.keys())
            assert not list(adata.var.columns)
            raise

    return run


@pytest.mark.parametrize("store", ["backed", "lazy"])
def test_by_columns(cells: AnnData, on_disk, discover, store: str) -> None:
    cells.X = cells.X.tocsc()
    with pytest.raises(ValueError, match=r"adata\.X in '.*cells\..*' is stored by columns \(CSC\).*tocsr"):
        discover(on_disk(cells, store))


@pytest.mark.parametrize("store", ["backed", "zarr", "lazy"])
def test_nan_in_the_last_block(cells: AnnData, on_disk, discover, store: str) -> None:
    cells.X.data[-1] = np.nan
    rows = {"backed": r"rows \d+ to 239", "zarr": "rows 222 to 239", "lazy": "rows 0 to 239"}[store]
    with pytest.raises(ValueError, match=rf"{rows} of adata\.X in '.*cells\..*' holds NaN or inf"):
        discover(on_disk(cells, store))


def test_truncated_h5ad(cells: AnnData, on_disk, discover, tmp_path: Path) -> None:
    cells.X = cells.X.toarray()
    stored = on_disk(cells, "backed")
    path = tmp_path / "cells.h5ad"
    shutil.copy(path, tmp_path / "whole.h5ad")
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 3)
    with pytest.raises(ValueError, match=r"adata\.X in '.*cells\.h5ad' could not be opened"):
        discover(stored)
    shutil.copy(tmp_path / "whole.h5ad", path)


@pytest.mark.parametrize("part", ["data", "indices"])
def test_damaged_zarr(cells: AnnData, on_disk, discover, tmp_path: Path, part: str) -> None:
    stored = on_disk(cells, "zarr")
    chunks = [p for p in (tmp_path / "cells.zarr" / "X" / part).rglob("*") if p.is_file() and p.stat().st_size > 1000]
    chunks[-1].write_bytes(chunks[-1].read_bytes()[:500])
    with pytest.raises(ValueError, match=r"rows \d+ to \d+ of adata\.X in '.*cells\.zarr.*' could not be read"):
        discover(stored)


def test_missing_chunk_of_zarr(cells: AnnData, on_disk, discover, tmp_path: Path) -> None:
    stored = on_disk(cells, "zarr")
    discover(stored.copy())
    chunks = [p for p in (tmp_path / "cells.zarr" / "X" / "indices").rglob("*") if p.stat().st_size > 1000]
    chunks[-1].unlink()  # zarr takes it for zeros
    with pytest.raises(ValueError, match=r"adata\.X in '.*cells\.zarr.*not all of the 1 chunks of 'indices' are there"):
        discover(stored)


def test_missing_shard_of_zarr(cells: AnnData, discover, tmp_path: Path) -> None:
    import zarr

    group = zarr.open_group(tmp_path / "cells.zarr", mode="w")
    anndata.io.write_elem(group, "X", cells.X, dataset_kwargs={"chunks": (40,), "shards": (400,)})
    X = anndata.experimental.read_elem_lazy(group["X"], chunks=(37, cells.n_vars))
    stored = anndata.AnnData(X, obs=cells.obs, var=cells.var)
    discover(stored.copy())
    (tmp_path / "cells.zarr" / "X" / "data" / "c" / "3").unlink()
    with pytest.raises(ValueError, match=r"not all of the \d+ chunks of 'data' are there"):
        discover(stored)


def test_columns_beyond_the_last(cells: AnnData, on_disk, discover) -> None:
    cells.X.indices[-1] = 160
    with pytest.raises(ValueError, match=r"rows 222 to 239 of adata\.X.*do not fit together"):
        discover(on_disk(cells, "zarr"))


@pytest.mark.parametrize("store", ["backed", "zarr"])
def test_changed_while_read(cells: AnnData, on_disk, quick, once_trained, tmp_path: Path, store: str) -> None:
    """During the training, when the cells without a label have not been read yet."""
    stored = on_disk(cells, store)
    stored.obs.loc[stored.obs_names[:3], "coarse"] = None

    def write_again() -> None:
        path = tmp_path / ("cells.h5ad" if store == "backed" else "cells.zarr/X/data/zarr.json")
        path.touch()

    before = list(stored.obs.columns)
    with (
        pytest.warns(UserWarning, match="missing"),
        once_trained(write_again),
        pytest.raises(ValueError, match=r"adata\.X in '.*cells\..*' was changed while it was read"),
    ):
        fsc.tl.discover(stored, "coarse", 6, **quick)
    assert list(stored.obs.columns) == before


def test_fewer_rows_than_before(cells: AnnData, on_disk, discover, tmp_path: Path) -> None:
    stored = on_disk(cells, "zarr")
    shutil.rmtree(tmp_path / "cells.zarr")
    cells[:100].copy().write_zarr(tmp_path / "cells.zarr")
    with pytest.raises(ValueError, match=r"adata\.X in '.*cells\.zarr.*'"):
        discover(stored)


@pytest.mark.parametrize("store", ["backed", "zarr"])
def test_read_only(cells: AnnData, on_disk, discover, tmp_path: Path, store: str) -> None:
    stored = on_disk(cells, store)
    for path in tmp_path.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    discover(stored)
    assert "falcon_fine" in stored.obs
    for path in tmp_path.rglob("*"):
        path.chmod(0o755)


def test_dtype_and_chunks_that_dask_does_not_know(cells: AnnData, discover) -> None:
    import dask.array as da

    X = da.from_array(cells.X.toarray(), chunks=(37, 50))
    obs, var = cells.obs, cells.var
    with pytest.raises(TypeError, match="dtype complex64: real numbers are needed"):
        discover(anndata.AnnData(X.astype(np.complex64), obs=obs.copy(), var=var.copy()))
    by_columns = anndata.AnnData(X, obs=obs.copy(), var=var.copy())  # dense: put together
    discover(by_columns)
    assert "falcon_fine" in by_columns.obs


def test_no_dask(cells: AnnData, on_disk, discover, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = on_disk(cells, "backed")
    # None in sys.modules is how Python says that a module is not there; uninstalling it would be for all tests
    monkeypatch.setitem(__import__("sys").modules, "dask.array", None)
    with pytest.raises(ImportError, match=r"falcon-sc\[disk\]"):
        discover(stored)
