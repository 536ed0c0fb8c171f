"""Cells that do not fit into memory: their matrices stay in the file, and a copy of it takes the results."""

from __future__ import annotations

import shutil
import warnings
from typing import TYPE_CHECKING, Any

from falcon_sc._cli.cells import check_source, write_then_move
from falcon_sc._cli.console import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

_READ = ("obs", "var", "obsm", "uns")  # into memory: what the functions read, and write their results to


def open_cells(source: Path) -> AnnData:
    """The cells of an h5ad file or a zarr store, X and layers left on disk; without raw, obsp, varm and varp.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, or it is none of them.
    """
    check_source(source)
    try:
        with _opened(source, "r") as store:
            return _cells_in(store)
    except Exception as error:
        msg = f"{str(source)!r} cannot be read as an AnnData ({type(error).__name__}: {one_line(error)})."
        raise ValueError(msg) from error


def _cells_in(store: Any) -> AnnData:
    from anndata import AnnData
    from anndata.io import read_elem

    from falcon_sc._on_disk.opening import as_dask

    if store.attrs.get("encoding-type") != "anndata":
        msg = "it does not say that it is one; files of old versions have to be read and written once"
        raise ValueError(msg)
    layers = {name: as_dask(store["layers"][name]) for name in store["layers"]} if "layers" in store else None
    parts: dict[str, Any] = {name: read_elem(store[name]) for name in _READ if name in store}
    return AnnData(as_dask(store["X"]) if "X" in store else None, layers=layers, **parts)


def write_copy(adata: AnnData, source: Path, output: Path, compression: dict[str, Any]) -> None:
    """Write a copy of the file whose cells these are, with what `adata` has in memory in the place of what was read."""

    def write(whole: Path) -> None:
        from anndata.io import write_elem

        if source.is_dir():
            shutil.copytree(source, whole)
        else:
            shutil.copyfile(source, whole)
        options = {} if source.is_dir() else compression
        with _opened(whole, "r+") as store:
            for name in _READ:
                values = getattr(adata, name)
                write_elem(store, name, values if name in ("obs", "var") else dict(values), dataset_kwargs=options)
        if source.is_dir():
            _consolidate(whole)

    write_then_move(output, write)


def _consolidate(folder: Path) -> None:
    """Say at the root of a zarr store what is in it, as anndata does."""
    import zarr

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Consolidated metadata is currently not part", UserWarning)
        zarr.consolidate_metadata(str(folder))


def _opened(path: Path, mode: str) -> Any:
    """A context with the root of a file or store, which is looked at itself rather than what is said of it at the root."""
    import contextlib

    import h5py
    import zarr

    if path.is_dir():
        return contextlib.nullcontext(zarr.open_group(path, mode=mode, use_consolidated=False))
    return h5py.File(path, mode)
