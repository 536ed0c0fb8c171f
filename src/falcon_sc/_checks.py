"""What every public function asks of its arguments before it computes anything."""

from __future__ import annotations

import logging
import os
import tempfile
from contextlib import suppress
from errno import EACCES
from typing import TYPE_CHECKING, Any

from falcon_sc.core.data.labels import can_be_written, whole_number
from falcon_sc.core.data.labels import listed as listed  # errors of the surface and of the core list names alike
from falcon_sc.core.runtime.files import as_path, beside
from falcon_sc.core.settings.ranges import check_rng as check_rng

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData

logger = logging.getLogger(__name__)

_TRIED_OUT = 1 << 16  # bytes


def check_is_anndata(adata: object) -> None:
    """Refuse what is no AnnData object."""
    from anndata import AnnData

    if isinstance(adata, AnnData):
        return
    msg = f"adata must be an AnnData object, found {type(adata).__name__}."
    if isinstance(adata, str | os.PathLike):
        msg += " Read the file first: anndata.read_h5ad(path)."
    elif hasattr(adata, "shape"):
        msg += " For arrays use falcon_sc.Falcon."
    raise TypeError(msg)


def check_adata(adata: AnnData, *, copy: bool, genes: bool = True) -> None:
    """Refuse objects whose results could not be written back, or that hold nothing; `genes`: whether those are read.

    A view that will be written to becomes an object of its own, as under scanpy's functions.
    """
    check_is_anndata(adata)
    if adata.isbacked and (copy or adata.is_view):
        what = "it is a view, which cannot be written to: call adata = adata.to_memory() first."
        if copy and not adata.is_view:
            what = (
                "copy=True was given: leave copy out, results are in memory and the file is not changed; or call "
                "adata = adata.to_memory() first."
            )
        msg = f"adata is in backed mode (its matrix is on disk), and {what}"
        raise ValueError(msg)
    if adata.n_obs == 0 or (genes and adata.n_vars == 0):
        hint = f" To use an embedding, give use_rep=...; there are: {listed(adata.obsm)}." if adata.n_obs else ""
        msg = f"adata is empty: {adata.n_obs} cells x {adata.n_vars} genes.{hint}"
        raise ValueError(msg)
    if not adata.obs_names.is_unique:
        duplicate = adata.obs_names[adata.obs_names.duplicated()][0]
        msg = f"adata.obs_names holds {duplicate!r} more than once: call adata.obs_names_make_unique() first."
        raise ValueError(msg)
    if adata.is_view and not copy:
        logger.info("adata is a view: it becomes an object of its own")
        adata.obs = adata.obs.copy()


def check_unique_genes(adata: AnnData) -> None:
    """Genes are matched by name between data sets, and named in tables, so a name may stand for one gene only."""
    if not adata.var_names.is_unique:
        duplicate = adata.var_names[adata.var_names.duplicated()][0]
        msg = (
            f"adata.var_names holds {duplicate!r} more than once, and genes go by their names: "
            "call adata.var_names_make_unique() first."
        )
        raise ValueError(msg)


def check_name(name: object, argument: str) -> None:
    """Refuse a list of names where one is meant: it would be looked up as if it were one."""
    try:
        hash(name)
    except TypeError as error:
        msg = f"{argument} must be one name, found {name!r}."
        raise TypeError(msg) from error


def obs_column(adata: AnnData, key: str, argument: str) -> pd.Series:
    """The column ``adata.obs[key]``; a missing one names what is there."""
    check_name(key, argument)
    if key not in adata.obs.columns:
        msg = f"{argument}={key!r} is not a column of adata.obs, which has: {listed(adata.obs.columns)}."
        raise KeyError(msg)
    column = of_pandas(adata.obs[key])
    if column.ndim != 1:
        msg = f"{argument}={key!r} names {column.shape[1]} columns of adata.obs: rename them."
        raise ValueError(msg)
    return column


def of_pandas(column: Any) -> pd.Series:
    """A column of ``adata.obs`` or ``adata.var``, which is xarray's in an object of ``anndata.experimental.read_lazy``."""
    found: pd.Series = column.to_pandas() if hasattr(column, "to_pandas") else column
    return found


def check_int(value: object, argument: str, *, minimum: int | None = 1) -> int:
    """An integer of at least `minimum`, if there is one, also one of numpy such as ``np.float64(3)``; booleans and floats are refused."""
    number = whole_number(value)
    if number is None:
        msg = f"{argument} must be an int, found {value!r} ({type(value).__name__})."
        raise TypeError(msg)
    if minimum is not None and number < minimum:
        msg = f"{argument} must be at least {minimum}, found {number}."
        raise ValueError(msg)
    return number


def check_key_added(key: object) -> None:
    """Keys become parts of paths in h5ad and zarr files, where a slash means a folder."""
    if not isinstance(key, str) or not key or "/" in key:
        msg = f"key_added must be a non-empty string without '/', found {key!r}."
        raise ValueError(msg)
    if key in (".", "..") or "\0" in key or not can_be_written(key):
        msg = f"key_added={key!r} cannot be in an h5ad or zarr file: give another."
        raise ValueError(msg)


def check_writable(path: str | Path, argument: str, *, folder: bool, files: Sequence[str] = ()) -> Path:
    """A path that can be written, tried out in the nearest folder that exists; nothing stays behind.

    Parameters
    ----------
    path
        Where something will be saved once the computation is done; ``~`` is the home folder.
    argument
        Name of the argument, for the message.
    folder
        Whether a folder will be saved there, rather than a file.
    files
        Names of the files that will be written in the folder.
    """
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        msg = f"{argument} must be a path, found {path!r}."
        raise TypeError(msg)
    target = as_path(path)
    try:
        _try_out(target, folder=folder, files=files)
    except OSError as error:
        msg = f"{argument}={str(path)!r} cannot be written ({error.strerror or error}): give another path."
        raise PermissionError(msg) from error
    except _WrongKindError as error:
        msg = f"{argument}={str(path)!r} {error}: give another path."
        raise ValueError(msg) from None
    return target


class _WrongKindError(Exception):
    """A folder where a file is to be written, or the other way round."""


def _try_out(path: Path, *, folder: bool, files: Sequence[str]) -> None:
    if "\0" in str(path):
        msg = "holds a NUL character"
        raise _WrongKindError(msg)
    if not can_be_written(str(path.resolve())):
        msg = "holds half a character (bytes that are no UTF-8), and could not be noted beside the results"
        raise _WrongKindError(msg)
    if path.exists() and path.is_dir() != folder:
        kind, wanted = ("a folder", "a file") if path.is_dir() else ("a file", "a folder")
        msg = f"is {kind}, but {wanted} is to be written there"
        raise _WrongKindError(msg)
    for file in (path / name for name in files) if folder else (path,):
        if file.is_dir() and folder:
            msg = f"holds a folder {file.name!r}, but a file is to be written there"
            raise _WrongKindError(msg)
        if file.exists() and not os.access(file, os.W_OK):
            raise PermissionError(EACCES, f"{file.name!r} is read-only")
    parent = path if path.is_dir() else path.parent
    while not parent.exists():
        parent = parent.parent
    _try_names(path if folder else beside(path), parent)
    with tempfile.TemporaryFile(dir=parent, buffering=0) as file_there:
        file_there.write(bytes(_TRIED_OUT))  # a full disk takes files that hold nothing


def _try_names(path: Path, parent: Path) -> None:
    """Whether names that are not there yet can be there: they may be too long."""
    for name in path.relative_to(parent).parts:
        with suppress(FileNotFoundError):
            (parent / name).lstat()
