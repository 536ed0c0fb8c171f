from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from falcon_sc._on_disk.files import check_cells_file

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


@pytest.mark.parametrize("name", ["out.csv", "out.h5", "out.h5ad.gz", "out", "out.loom"])
def test_unknown_format(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"is of an unknown format: give a name that ends in \.h5ad or \.zarr"):
        check_cells_file(tmp_path / name, "output")


def test_only_a_store_is_replaced_by_a_store(planted: AnnData, tmp_path: Path) -> None:
    photographs = tmp_path / "photographs.zarr"
    photographs.mkdir()
    assert check_cells_file(photographs, "output") == photographs  # nothing to lose
    (photographs / "1.png").touch()
    with pytest.raises(ValueError, match="is a folder with other files, and no zarr store"):
        check_cells_file(photographs, "output")
    (tmp_path / "file.zarr").touch()
    with pytest.raises(ValueError, match="is a file, but a folder is to be written there"):
        check_cells_file(tmp_path / "file.zarr", "output")
    planted.write_zarr(tmp_path / "cells.zarr")
    assert check_cells_file(tmp_path / "cells.zarr", "output") == tmp_path / "cells.zarr"


def test_what_is_no_path(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="output must be a path, found 3"):
        check_cells_file(3, "output")  # type: ignore[arg-type]
