from __future__ import annotations

from typing import TYPE_CHECKING

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest

from falcon_sc._cli.cells import read_cells, write_cells, write_table
from falcon_sc._on_disk.files import compression_of

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


@pytest.mark.parametrize("name", ["cells.h5ad", "cells.H5AD", "cells.zarr", "no ending"])
def test_what_is_inside_tells_the_format(planted: AnnData, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_cells(planted, tmp_path / ("cells.zarr" if name.endswith("zarr") else "cells.h5ad"), {})
    next(tmp_path.iterdir()).rename(path)
    assert (read_cells(path).X != planted.X).nnz == 0


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("none.h5ad", FileNotFoundError, "there is no file '.*none.h5ad'"),
        ("table.h5ad", ValueError, "'.*table.h5ad' is no h5ad file: there is no HDF5 in it"),
        ("empty.h5ad", ValueError, "'.*empty.h5ad' is no h5ad file"),
        ("folder.zarr", ValueError, "'.*folder.zarr' is a folder, and no zarr store"),
        ("cut.h5ad", ValueError, "'.*cut.h5ad' cannot be read as an AnnData"),
        ("other.h5", ValueError, "'.*other.h5' cannot be read as an AnnData"),
        ("newer.h5ad", ValueError, "'.*newer.h5ad' cannot be read as an AnnData .*IORegistryError"),
        ("other.zarr", ValueError, "'.*other.zarr' cannot be read as an AnnData"),
    ],
)
def test_what_cannot_be_read_is_named(planted: AnnData, tmp_path: Path, name: str, error, message: str) -> None:
    (tmp_path / "table.h5ad").write_text("cell,gene\n")
    (tmp_path / "empty.h5ad").touch()
    (tmp_path / "folder.zarr").mkdir()
    planted.write_h5ad(tmp_path / "cut.h5ad")
    whole = (tmp_path / "cut.h5ad").read_bytes()
    (tmp_path / "cut.h5ad").write_bytes(whole[: len(whole) // 2])
    with h5py.File(tmp_path / "other.h5", "w") as file:  # as 10x writes them
        file["matrix/data"] = np.arange(3)
    with h5py.File(tmp_path / "newer.h5ad", "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "99"})
    (tmp_path / "other.zarr").mkdir()
    (tmp_path / "other.zarr" / "zarr.json").write_text("{}")
    with pytest.raises(error, match=message):
        read_cells(tmp_path / name)


@pytest.mark.parametrize("name", ["cells.h5ad", "cells.zarr"])
def test_what_was_there_stays_until_the_new_is_whole(planted: AnnData, tmp_path: Path, name: str, full_disk) -> None:
    (tmp_path / "disk").mkdir()
    path = tmp_path / "disk" / name
    write_cells(planted, path, {})
    with full_disk(), pytest.raises(OSError, match=r"File too large|errno = 27"):
        write_cells(planted[:10].copy(), path, {})
    assert read_cells(path).shape == (240, 160)
    (tmp_path / name).symlink_to(path)
    write_cells(planted[:10].copy(), tmp_path / name, {})
    assert read_cells(path).shape == (10, 160)
    assert [kept.name for kept in (tmp_path / "disk").iterdir()] == [name]


@pytest.mark.parametrize(
    "options",
    [{}, {"compression": "gzip", "compression_opts": 9}, {"compression": "gzip"}, {"compression": "lzf"}],
    ids=str,
)
@pytest.mark.parametrize("dense", [False, True])
def test_compression_is_kept(planted: AnnData, tmp_path: Path, options: dict, dense: bool) -> None:
    cells = planted.copy()
    if dense:
        cells.X = cells.X.toarray()
    cells.write_h5ad(tmp_path / "in.h5ad", **options)
    write_cells(read_cells(tmp_path / "in.h5ad"), tmp_path / "out.h5ad", compression_of(tmp_path / "in.h5ad"))
    name = "X" if dense else "X/data"
    kept = []
    for file_name in ("in.h5ad", "out.h5ad"):
        with h5py.File(tmp_path / file_name) as file:
            kept.append((file[name].compression, file[name].compression_opts))
    assert kept[0] == kept[1]
    assert kept[0][0] == options.get("compression")


def test_other_compressions_become_gzip(planted: AnnData, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "in.h5ad", "w") as file:
        # a filter that h5py has no name for, as those of hdf5plugin
        file.create_dataset("X", data=np.zeros((40, 40)), chunks=(40, 40), scaleoffset=2)
    assert compression_of(tmp_path / "in.h5ad") == {"compression": "gzip"}
    planted.write_zarr(tmp_path / "in.zarr")
    assert compression_of(tmp_path / "in.zarr") == {"compression": "gzip"}


def test_without_a_matrix(tmp_path: Path) -> None:
    anndata.AnnData(shape=(0, 0)).write_h5ad(tmp_path / "in.h5ad")
    assert compression_of(tmp_path / "in.h5ad") == {}


def test_a_table_keeps_names_that_are_no_words(tmp_path: Path) -> None:
    table = pd.DataFrame({"fine": ["B\ncell", "T\r\ncell", "a\tb", 'x,"y"', "細胞 🧬"]})
    write_table(table, tmp_path / "table.csv", index=False)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "table.csv"), table, check_dtype=False)
