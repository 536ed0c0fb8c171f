"""The file that takes cells with their results: what must not be lost for it, and how it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from falcon_sc._on_disk.copying import Place, place_of, write_store, zarr_format
from falcon_sc._on_disk.files import check_cells_file, compression_of, is_zarr, opened, write_then_move
from falcon_sc._on_disk.opening import as_dask, is_on_disk
from falcon_sc._written import CLASSES, is_kind

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

_FRAMES, _MAPPINGS = ("obs", "var"), ("obsm", "varm", "obsp", "varp", "uns")


class OutputNotWrittenError(OSError):
    """The output could be written before the run and cannot after it; the results are in memory, in `adata`."""

    def __init__(self, message: str, adata: AnnData) -> None:
        super().__init__(message)
        self.adata = adata

    def __reduce__(self) -> tuple[type[OutputNotWrittenError], tuple[str, AnnData]]:
        return type(self), (str(self), self.adata)  # so that it comes back from another process


@dataclass(frozen=True)
class Output:
    """Where cells are written with results under a key; the name tells the format."""

    path: Path

    @classmethod
    def checked(cls, path: str | Path | None, adata: AnnData, key: str) -> Output | None:
        """Refuse, before any work, a path that cannot be written, that is read, or that holds something else.

        Raises
        ------
        TypeError, ValueError, PermissionError
            Says which of them, and what to do. What falcon_sc wrote under the same key is replaced.
        """
        if path is None:
            return None
        output = check_cells_file(path, "output")
        if output.exists():
            if output.resolve() in {place.file.resolve() for place in _places(adata).values()}:
                msg = f"output={str(path)!r} is what adata is read from: give another path."
                raise ValueError(msg)
            if not _is_empty_folder(output) and not _is_result(output, key):
                msg = (
                    f"output={str(path)!r} exists and holds no result of falcon_sc under the key {key!r}: give another path, "
                    "or delete it first."
                )
                raise ValueError(msg)
        return cls(output)

    def write(self, adata: AnnData, *, copied: bool = False) -> None:
        """Write the cells, whole or not at all. Matrices on disk are copied as they lie there, or else a block at a time.

        Raises
        ------
        OutputNotWrittenError
            Whatever the reason.
        """
        try:
            write_then_move(self.path, lambda whole: self._write(adata, whole))
        except Exception as error:
            where = "error.adata (in a notebook sys.last_value.adata)" if copied else "adata"
            msg = (
                f"output={str(self.path)!r} could not be written after the run ({error}). Nothing is lost: the results are "
                f"in {where}."
            )
            raise OutputNotWrittenError(msg, adata) from error

    def _write(self, adata: AnnData, whole: Path) -> None:
        left = {name: place for name, place in _places(adata).items() if place.is_zarr == is_zarr(whole)}
        taken = zarr_format(left)
        left = {name: place for name, place in left.items() if zarr_format({name: place}) == taken}
        files = [place.file for place in left.values() if not place.is_zarr]
        compression = compression_of(files[0]) if files else {}
        write_store(whole, _parts(adata, left), left, compression)


def _places(adata: AnnData) -> dict[str, Place]:
    """Matrices that lie on disk as they are, by where they stand in a file."""
    found = {name: place_of(matrix) for name, matrix in _matrices(adata).items() if is_on_disk(matrix)}
    places = {name: place for name, place in found.items() if place is not None}
    if adata.filename is not None and adata.raw is not None:  # in backed mode
        places["raw"] = Place(adata.filename, "raw")
    return places


def _matrices(adata: AnnData) -> dict[str, Any]:
    names = [name for name in list(adata.layers.keys()) if name is not None]  # newer anndata lists X under None
    layers = {f"layers/{name}": adata.layers[name] for name in names}
    return layers if adata.X is None else {"X": adata.X, **layers}


def _parts(adata: AnnData, left: dict[str, Place]) -> dict[str, Any]:
    """All that is not left where it is; a matrix on disk as dask, which is written a block at a time."""
    parts: dict[str, Any] = {name: _in_memory(getattr(adata, name)) for name in _FRAMES}
    for name in _MAPPINGS:
        parts[name] = {key: _in_memory(value) for key, value in getattr(adata, name).items()}
    parts["layers"] = {}
    for name, matrix in _matrices(adata).items():
        if name not in left:
            parts[name] = matrix if hasattr(matrix, "dask") or not is_on_disk(matrix) else as_dask(matrix)
    if adata.raw is not None and "raw" not in left:
        parts["raw"] = adata.raw
    return parts


def _in_memory(table: Any) -> Any:
    """A table that is read lazily, of anndata.experimental.read_lazy, as one of pandas."""
    return table.to_memory() if hasattr(table, "ds") else table


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _is_result(path: Path, key: str) -> bool:
    """Whether a file or store holds fine classes under a key, written by falcon_sc."""
    from anndata.io import read_elem

    try:
        with opened(path, "r") as store:
            return is_kind(read_elem(store["uns"][key]), CLASSES)
    except Exception:  # noqa: BLE001 - whatever is there, it is none
        return False
