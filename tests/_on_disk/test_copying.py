from __future__ import annotations

from typing import TYPE_CHECKING

import anndata
import h5py
import numpy as np
import pytest
import zarr
from anndata.experimental import read_elem_lazy
from anndata.io import write_elem

from falcon_sc._on_disk.copying import Place, place_of, write_store
from falcon_sc._on_disk.opening import as_dask

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

pytest.importorskip("dask", reason="the extra `disk` is not installed")


@pytest.fixture
def files(cells: AnnData, tmp_path: Path) -> dict[str, Path]:
    """The same cells as h5ad and zarr, X sparse and a dense layer."""
    cells.layers["dense"] = cells.X.toarray()
    cells.write_h5ad(tmp_path / "cells.h5ad")
    cells.write_zarr(tmp_path / "cells.zarr")
    return {"h5ad": tmp_path / "cells.h5ad", "zarr": tmp_path / "cells.zarr"}


@pytest.mark.parametrize("inside", ["X", "layers/dense"])
@pytest.mark.parametrize("form", ["h5ad", "zarr"])
@pytest.mark.parametrize("read", [as_dask, read_elem_lazy])
def test_a_matrix_that_is_read_lazily_is_found(files, read, form: str, inside: str) -> None:
    store = h5py.File(files[form], "r") if form == "h5ad" else zarr.open_group(files[form], mode="r")
    matrix = read(store[inside])
    place = place_of(matrix)
    assert place is not None
    assert (place.file, place.inside.lstrip("/")) == (files[form], inside)
    for changed in (matrix[1:], matrix.map_blocks(np.log1p), matrix.persist()):
        assert place_of(changed) is None
    if form == "h5ad":
        store.close()


def test_a_backed_matrix_is_found_and_one_in_memory_is_not(files, cells: AnnData) -> None:
    backed = anndata.read_h5ad(files["h5ad"], backed="r")
    assert place_of(backed.X) == Place(files["h5ad"], "/X")
    assert place_of(cells.X) is None
    backed.file.close()


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_the_format_of_a_zarr_store_is_kept(cells: AnnData, tmp_path: Path, zarr_format: int) -> None:
    write_elem(zarr.open_group(tmp_path / "in.zarr", mode="w", zarr_format=zarr_format), "X", cells.X)
    write_store(tmp_path / "out.zarr", {"obs": cells.obs}, {"X": Place(tmp_path / "in.zarr", "X")}, {})
    copy = anndata.read_zarr(tmp_path / "out.zarr")
    assert (copy.X != cells.X).nnz == 0
    assert copy.obs.equals(cells.obs)
    assert zarr.open_group(tmp_path / "out.zarr", mode="r").metadata.zarr_format == zarr_format
