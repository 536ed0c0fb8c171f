"""AnnData files: h5ad and zarr, in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from falcon_sc._checks import check_writable
from falcon_sc._cli.console import one_line
from falcon_sc._on_disk.files import is_store, is_zarr, write_then_move
from falcon_sc.core.runtime.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData


def read_cells(source: Path) -> AnnData:
    """The cells of an h5ad file or a zarr store; what it is shows in what is inside, not in its name.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, or it is none of them.
    """
    check_source(source)
    import anndata

    try:
        return anndata.read_zarr(source) if source.is_dir() else anndata.read_h5ad(source)
    except Exception as error:
        msg = f"{str(source)!r} cannot be read as an AnnData ({type(error).__name__}: {one_line(error)})."
        raise ValueError(msg) from error


def check_source(source: Path) -> None:
    """Refuse what is there but neither an h5ad file nor a zarr store, and what is not there; errors as of `read_cells`."""
    if not source.exists():
        msg = f"there is no file {str(source)!r}."
        raise FileNotFoundError(msg)
    import h5py

    if source.is_dir():
        if not is_store(source):
            msg = f"{str(source)!r} is a folder, and no zarr store: give an h5ad file or a zarr store."
            raise ValueError(msg)
    elif not h5py.is_hdf5(source):
        msg = f"{str(source)!r} is no h5ad file: there is no HDF5 in it. Give an h5ad file or a zarr store."
        raise ValueError(msg)


def write_cells(adata: AnnData, output: Path, compression: dict[str, Any]) -> None:
    """Write beside the target and move: what was there stays until the new file is whole."""

    def write(whole: Path) -> None:
        if is_zarr(whole):
            adata.write_zarr(whole)
        else:
            adata.write_h5ad(whole, **compression)

    write_then_move(output, write)


def check_file(path: Path, argument: str, ending: str) -> Path:
    """Where a table or a page will be written.

    Raises
    ------
    ValueError, PermissionError
        If its name ends otherwise, or the place takes nothing.
    """
    if path.suffix.lower() != ending:
        msg = f"{argument}={str(path)!r} is of an unknown format: give a name that ends in {ending}."
        raise ValueError(msg)
    return check_writable(path, argument, folder=False)


def write_table(table: pd.DataFrame, path: Path, **options: Any) -> None:
    """Write a table as `DataFrame.to_csv` does: whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda beside: table.to_csv(beside, **options))
