"""A new file or store in which matrices of others are as they lie on disk, chunk by chunk, beside what is in memory."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from falcon_sc._on_disk.files import consolidate, is_zarr, opened
from falcon_sc._on_disk.opening import as_read, is_dask, is_sparse_store

if TYPE_CHECKING:
    from collections.abc import Mapping

_AS_STORED = ("make_dask_chunk-", "from-zarr-", "original-from-zarr-")  # layers of what anndata and dask read lazily


@dataclass(frozen=True)
class Place:
    """Something in an h5ad file or a zarr store: the file, and the path inside it."""

    file: Path
    inside: str

    @property
    def is_zarr(self) -> bool:
        """Whether it is in a zarr store."""
        return self.file.is_dir()

    def copy_into(self, store: Any, whole: Path, name: str) -> None:
        """Put it into the open `store` at `whole`, under a name, without reading its values."""
        if self.is_zarr:
            shutil.copytree(self.file / self.inside, whole / name)
            return
        with opened(self.file, "r") as source:
            source.copy(self.inside, store, name=name)


def place_of(matrix: Any) -> Place | None:
    """Where the whole matrix lies as it is; None for one in memory, changed since it was read, or not in a local file."""
    source: Any = matrix
    if is_dask(matrix):
        is_plain = all(str(name).startswith(_AS_STORED) for name in matrix.dask.layers)
        source = as_read(matrix) if is_plain else None
    if isinstance(source, partial):  # anndata's, of an h5ad file that it opens for each block
        file, inside = source.args
        return Place(Path(file), str(inside))
    if is_sparse_store(source):
        source = source.group
    file = getattr(getattr(source, "file", None), "filename", None)  # h5py
    if file is not None:
        return Place(Path(file), str(source.name))
    root = getattr(getattr(source, "store", None), "root", None)  # zarr, in a folder
    return None if root is None or not Path(root).is_dir() else Place(Path(root), str(source.path))


def write_store(
    whole: Path, parts: Mapping[str, Any], left: Mapping[str, Place], options: Mapping[str, Any], **attributes: Any
) -> None:
    """Write a new file or store: `parts` as anndata writes them, `left` as they lie on disk, in the same format.

    Parameters
    ----------
    whole
        A path at which there is nothing; its name tells the format.
    parts, left
        By their paths inside, such as "obs" and "layers/counts".
    options
        How an h5ad file is compressed.
    attributes
        Of the root, beside those of every AnnData.
    """
    from anndata.io import write_elem

    formats = {"zarr_format": zarr_format(left)} if is_zarr(whole) else {}
    with opened(whole, "w", **formats) as store:
        store.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"} | attributes)
        for path, value in parts.items():
            parent, _, name = path.rpartition("/")
            write_elem(store[parent or "/"], name, value, dataset_kwargs={} if is_zarr(whole) else options)
        for name, place in left.items():
            place.copy_into(store, whole, name)
    if is_zarr(whole):
        consolidate(whole)


def zarr_format(left: Mapping[str, Place]) -> int | None:
    """The format of the zarr stores, 2 or 3, by the first of them; None, which is the default of zarr, if there is none."""
    return next((3 if (p.file / p.inside / "zarr.json").is_file() else 2 for p in left.values() if p.is_zarr), None)
