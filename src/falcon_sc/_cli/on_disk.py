"""Cells that do not fit into memory: their matrices stay in the file, and a copy of it takes the results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from falcon_sc._cli.cells import check_source
from falcon_sc._cli.console import one_line
from falcon_sc._on_disk.copying import Place, write_store
from falcon_sc._on_disk.files import opened, write_then_move

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
        with opened(source, "r") as store:
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
    with opened(source, "r") as store:
        attributes, left = dict(store.attrs), {name: Place(source, name) for name in store if name not in _READ}
    parts = {name: getattr(adata, name) if name in ("obs", "var") else dict(getattr(adata, name)) for name in _READ}
    write_then_move(output, lambda whole: write_store(whole, parts, left, compression, **attributes))
