"""h5ad files and zarr stores as files: where one may be written, how one is opened, and a new one that is whole or not there."""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from falcon_sc._checks import check_writable
from falcon_sc.core.runtime.files import as_path

if TYPE_CHECKING:
    from collections.abc import Callable

_STORE = ("zarr.json", ".zgroup")  # one of them is in every zarr store, of format 3 or 2


def check_cells_file(path: str | Path, argument: str) -> Path:
    """Where cells will be written: a name that tells the format, and a place that takes them.

    Raises
    ------
    ValueError, PermissionError
        If the format is not known, or the place takes nothing or holds something else.
    """
    output = as_path(path) if isinstance(path, str | os.PathLike) else Path()
    if output.suffix.lower() not in (".h5ad", ".zarr"):
        check_writable(path, argument, folder=False)  # "." is a folder before it is a format
        msg = f"{argument}={str(path)!r} is of an unknown format: give a name that ends in .h5ad or .zarr."
        raise ValueError(msg)
    if is_zarr(output) and output.is_dir() and not is_store(output) and any(output.iterdir()):
        msg = f"{argument}={str(path)!r} is a folder with other files, and no zarr store to be replaced: give another."
        raise ValueError(msg)
    return check_writable(path, argument, folder=is_zarr(output))


def is_zarr(output: Path) -> bool:
    """Whether the name is that of a zarr store."""
    return output.suffix.lower() == ".zarr"


def is_store(folder: Path) -> bool:
    """Whether there is a zarr store in a folder."""
    return any((folder / name).is_file() for name in _STORE)


def opened(path: Path, mode: str, **options: Any) -> Any:
    """A context with the root of a file or store, which is looked at itself rather than what is said of it at the root."""
    import h5py
    import zarr

    if path.is_dir() or (is_zarr(path) and not path.exists()):
        return contextlib.nullcontext(zarr.open_group(path, mode=mode, use_consolidated=False, **options))
    return h5py.File(path, mode)


def consolidate(folder: Path) -> None:
    """Say at the root of a zarr store what is in it, as anndata does."""
    import zarr

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Consolidated metadata is currently not part", UserWarning)
        zarr.consolidate_metadata(str(folder))


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

    with h5py.File(source, "r") as file:
        file.visititems(look)
        if largest is None or not largest.id.get_create_plist().get_nfilters():
            return {}
        if largest.compression in ("gzip", "lzf"):
            return {"compression": largest.compression, "compression_opts": largest.compression_opts}
        return {"compression": "gzip"}


def write_then_move(output: Path, write: Callable[[Path], object]) -> None:
    """Let something be written to a path of the same name elsewhere, and move it into place: what was there stays until then."""
    output = output.resolve()  # a link is followed
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, ignore_cleanup_errors=True) as folder:
        whole = Path(folder) / output.name
        write(whole)
        if is_zarr(output) and output.exists():  # a folder cannot be replaced in one step
            output.rename(Path(folder) / "before")
        whole.replace(output)
