"""AnnData files: h5ad and zarr, in and out."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from falcon_sc._checks import check_writable
from falcon_sc._cli.console import one_line
from falcon_sc.core.runtime.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from anndata import AnnData

_STORE = ("zarr.json", ".zgroup")  # one of them is in every zarr store, of format 3 or 2


def check_output(output: Path) -> Path:
    """Where the cells will be written: a name that tells the format, and a place that takes them.

    Raises
    ------
    ValueError, PermissionError
        If the format is not known, or the place takes nothing or holds something else.
    """
    if output.suffix.lower() not in (".h5ad", ".zarr"):
        check_writable(output, "--output", folder=False)  # "." is a folder before it is a format
        msg = f"--output={str(output)!r} is of an unknown format: give a name that ends in .h5ad or .zarr."
        raise ValueError(msg)
    if not is_zarr(output):
        return check_writable(output, "--output", folder=False)
    if output.is_dir() and not is_store(output) and any(output.iterdir()):
        msg = f"--output={str(output)!r} is a folder with other files, and no zarr store to be replaced: give another."
        raise ValueError(msg)
    return check_writable(output, "--output", folder=True)


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


def compression_of(source: Path) -> dict[str, Any]:
    """How a file is compressed, as options of `AnnData.write_h5ad`: gzip for what h5py cannot write, and for zarr."""
    if source.is_dir():
        return {"compression": "gzip"}
    import h5py

    largest: h5py.Dataset | None = None

    def look(_: str, found: object) -> None:
        nonlocal largest
        if isinstance(found, h5py.Dataset) and (largest is None or found.nbytes > largest.nbytes):
            largest = found

    with h5py.File(source) as file:
        file.visititems(look)
        if largest is None or not largest.id.get_create_plist().get_nfilters():
            return {}
        if largest.compression in ("gzip", "lzf"):
            return {"compression": largest.compression, "compression_opts": largest.compression_opts}
        return {"compression": "gzip"}


def write_cells(adata: AnnData, output: Path, compression: dict[str, Any]) -> None:
    """Write beside the target and move: what was there stays until the new file is whole."""

    def write(whole: Path) -> None:
        if is_zarr(whole):
            adata.write_zarr(whole)
        else:
            adata.write_h5ad(whole, **compression)

    write_then_move(output, write)


def write_then_move(output: Path, write: Callable[[Path], object]) -> None:
    """Let something be written to a path of the same name elsewhere, and move it into place."""
    output = output.resolve()  # a link is followed
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, ignore_cleanup_errors=True) as folder:
        whole = Path(folder) / output.name
        write(whole)
        if is_zarr(output) and output.exists():  # a folder cannot be replaced in one step
            output.rename(Path(folder) / "before")
        whole.replace(output)


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


def is_zarr(output: Path) -> bool:
    """Whether the name is that of a zarr store."""
    return output.suffix.lower() == ".zarr"


def is_store(folder: Path) -> bool:
    """Whether there is a zarr store in a folder."""
    return any((folder / name).is_file() for name in _STORE)
