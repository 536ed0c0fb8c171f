"""What may be on disk in an AnnData, as rows: backed h5ad, zarr, or a dask array."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from falcon_sc._on_disk.rows import StoredRows
from falcon_sc._on_disk.store import Store
from falcon_sc.core.data.rows import as_csr

if TYPE_CHECKING:
    from anndata import AnnData

_BLOCK = 1 << 25  # bytes that are read at once, where nobody has chosen chunks


def is_on_disk(stored: Any) -> bool:
    """Whether a matrix of an AnnData is read from disk when it is asked for."""
    return is_dask(stored) or _is_dense_store(stored) or is_sparse_store(stored)


def open_rows(stored: Any, name: str, adata: AnnData) -> StoredRows:
    """Float32 CSR rows of a matrix on disk, of which nothing is read yet; `name`: what it is in `adata`.

    Raises
    ------
    ValueError
        If it is stored by columns, or dask does not know its shape.
    TypeError
        If it does not hold real numbers.
    ImportError
        If dask is not installed.
    """
    source = _source_of(stored, adata)
    store = Store(name, _path_of(source))
    _check_by_rows(stored, store)
    if stored.dtype.kind not in "biuf":
        msg = f"{store} has dtype {stored.dtype}: real numbers are needed."
        raise TypeError(msg)
    try:
        import dask.array as da
    except ImportError as error:
        msg = f"{store} is on disk, and dask reads it: install it (pip install 'falcon-sc[disk]'), or call adata = adata.to_memory()."
        raise ImportError(msg) from error
    try:
        _check_complete(source, store)
        array = stored if isinstance(stored, da.Array) else as_dask(stored)
    except Exception as error:
        msg = f"{store} could not be opened ({type(error).__name__}: {error}). The store may be damaged or incomplete."
        raise ValueError(msg) from error
    if len(array.chunks[1]) > 1:
        array = array.rechunk({1: -1})
    shape = (int(array.shape[0]), int(array.shape[1]))
    return StoredRows(array, store, shape, (partial(_whole_rows, n_columns=shape[1]),))


def as_dask(stored: Any) -> Any:
    """A matrix as anndata stores it, or its group in a file; anndata opens that again in each thread and process that reads."""
    from anndata.experimental import read_elem_lazy
    from anndata.io import sparse_dataset

    stored = sparse_dataset(stored) if hasattr(stored, "keys") else stored
    if is_sparse_store(stored) and stored.format == "csc":  # in blocks of columns: refused where rows are asked for
        return read_elem_lazy(stored.group)
    n_rows, n_columns = (int(length) for length in stored.shape)
    if _is_dense_store(stored):
        bytes_of_row, elem = n_columns * stored.dtype.itemsize, stored
        step = (stored.chunks or (1,))[0]
    else:
        elem, step = stored.group, 1
        n_values = int(elem["data"].shape[0])
        bytes_of_row = max(1, n_values * (stored.dtype.itemsize + elem["indices"].dtype.itemsize) // max(n_rows, 1))
    at_once = max(1, _BLOCK // bytes_of_row // step) * step
    return read_elem_lazy(elem, chunks=(min(at_once, n_rows), n_columns))


def _check_by_rows(stored: Any, store: Store) -> None:
    block = getattr(stored, "_meta", stored)  # of dask: an empty block
    kind = block.format if sparse.issparse(block) or is_sparse_store(block) else None
    if kind == "csc":
        msg = (
            f"{store} is stored by columns (CSC), so that its rows cannot be read without reading all of it: store it by "
            "rows once (adata.X = adata.X.tocsr() in memory, then write it), or call adata = adata.to_memory()."
        )
        raise ValueError(msg)
    if kind not in (None, "csr"):
        msg = f"{store} is a sparse matrix in the format {kind!r}: store it as CSR."
        raise ValueError(msg)
    if len(stored.shape) != 2 or any(np.isnan(length) for length in stored.shape):
        msg = (
            f"{store} has shape {stored.shape}, of which rows cannot be read: call adata.X.compute_chunk_sizes() first."
        )
        raise ValueError(msg)


def _whole_rows(block: Any, n_columns: int) -> sparse.csr_matrix:
    """A block as CSR, float32; one that cannot be rows of a matrix is refused."""
    if sparse.issparse(block) and (
        len(block.indices) != len(block.data)
        or np.any(np.diff(block.indptr) < 0)
        or (len(block.indices) and not 0 <= block.indices.min() <= block.indices.max() < n_columns)
    ):
        msg = "its values, columns and rows do not fit together"
        raise ValueError(msg)
    return as_csr(block)


def _check_complete(source: Any, store: Store) -> None:
    """Zarr reads zeros where a chunk is not there; values and columns of a sparse matrix have none that are only zeros."""
    if is_sparse_store(source) and store.path is not None and source.backend == "zarr":
        for part in ("data", "indices"):
            stored = source.group[part]  # in shards, those beyond the end count as well
            if stored.nchunks_initialized < stored.nchunks and source.shape[1] > 1:
                msg = f"not all of the {stored.nchunks} chunks of {part!r} are there"
                raise OSError(msg)


def _source_of(stored: Any, adata: AnnData) -> Any:
    """What a matrix is read from: something of h5py, zarr or anndata, or a path; None where that cannot be told."""
    if not is_dask(stored):
        return stored
    source = as_read(stored)
    return (source.args[0] if isinstance(source, partial) else source) or adata.file.filename


def _path_of(source: Any) -> Path | None:
    """The file or folder of it."""
    if is_sparse_store(source):
        source = source.group
    if isinstance(source, str | Path):
        return Path(source)
    file = getattr(getattr(source, "file", None), "filename", None)  # h5py
    if file is not None:
        return Path(file)
    root, inside = getattr(getattr(source, "store", None), "root", None), getattr(source, "path", "")  # zarr
    return None if root is None else Path(root) / inside


def as_read(array: Any) -> Any:
    """What the first task of a dask array reads: something of h5py, zarr or anndata, a path or what opens it; None if it is hidden."""
    graph = array.dask
    looked_at: list[Any] = [graph[array.__dask_keys__()[0][0]]]
    for _ in range(1000):
        if not looked_at:
            return None
        found = looked_at.pop(0)
        if is_sparse_store(found) or _is_dense_store(found):
            return found
        if isinstance(found, Path):
            return found
        if isinstance(found, partial) and len(found.args) == 2 and isinstance(found.args[0], Path):
            return found
        if isinstance(found, dict):
            looked_at += list(found.values())
        elif isinstance(found, list | tuple):
            looked_at += list(found)
        else:
            looked_at += [getattr(found, name, None) for name in ("func", "args", "kwargs", "keywords", "value")]
            if not hasattr(found, "func") and isinstance(key := getattr(found, "key", None), str) and key in graph:
                looked_at.append(graph[key])  # what another task refers to
        looked_at = [one for one in looked_at if one is not None]
    return None


def is_dask(stored: Any) -> bool:
    """Whether it is a dask array."""
    array = sys.modules.get("dask.array")
    return array is not None and isinstance(stored, array.Array)


def _is_dense_store(stored: Any) -> bool:
    h5py, zarr = sys.modules.get("h5py"), sys.modules.get("zarr")
    return (h5py is not None and isinstance(stored, h5py.Dataset)) or (
        zarr is not None and isinstance(stored, zarr.Array)
    )


def is_sparse_store(stored: Any) -> bool:
    """Whether it is a sparse matrix of anndata that lies on disk."""
    from anndata.abc import CSCDataset, CSRDataset

    return isinstance(stored, CSRDataset | CSCDataset)
