"""AnnData files: h5ad and zarr, in and out."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from falcon_sc._checks import check_writable
from falcon_sc._cli.console import one_line
from falcon_sc._cli.keeping import Output
from falcon_sc.core.runtime.files import write_whole

if TYPE_CHECKING:
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
    if not _is_zarr(output):
        return check_writable(output, "--output", folder=False)
    if output.is_dir() and not _is_store(output) and any(output.iterdir()):
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
    if not source.exists():
        msg = f"there is no file {str(source)!r}."
        raise FileNotFoundError(msg)
    import anndata
    import h5py

    if source.is_dir():
        if not _is_store(source):
            msg = f"{str(source)!r} is a folder, and no zarr store: give an h5ad file or a zarr store."
            raise ValueError(msg)
    elif not h5py.is_hdf5(source):
        msg = f"{str(source)!r} is no h5ad file: there is no HDF5 in it. Give an h5ad file or a zarr store."
        raise ValueError(msg)
    try:
        return anndata.read_zarr(source) if source.is_dir() else anndata.read_h5ad(source)
    except Exception as error:
        msg = f"{str(source)!r} cannot be read as an AnnData ({type(error).__name__}: {one_line(error)})."
        raise ValueError(msg) from error


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
    output = output.resolve()  # a link is followed
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, ignore_cleanup_errors=True) as folder:
        whole = Path(folder) / output.name
        if not _is_zarr(output):
            adata.write_h5ad(whole, **compression)
            whole.replace(output)
            return
        adata.write_zarr(whole)
        if output.exists():  # a folder cannot be replaced in one step
            output.rename(Path(folder) / "before")
        whole.rename(output)


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


@dataclass(frozen=True)
class Target:
    """Where the cells of `source` are written with results under `key`, and their labels as a table, if `csv` is given."""

    source: Path
    output: Path
    csv: Path | None
    key: str

    @classmethod
    def checked(cls, source: Path, output: Path, csv: Path | None, key: str) -> Target:
        """Refuse, before any work, what cannot be written."""
        output = check_output(output)
        return cls(source, output, None if csv is None else check_file(csv, "--csv", ".csv"), key)

    def outputs(self, adata: AnnData) -> list[Output]:
        """What there is to write; how the file that was read is compressed, so is the new one."""
        compression = compression_of(self.source)

        def write_labels(path: Path) -> None:
            import pandas as pd

            names = [f"{self.key}_fine", f"{self.key}_confidence"]
            write_table(pd.DataFrame({name: adata.obs[name] for name in names}), path, index_label="cell")

        least = "labels.csv", write_labels
        outputs = [Output(self.output, "--output", lambda path: write_cells(adata, path, compression), least)]
        return outputs if self.csv is None else [*outputs, Output(self.csv, "--csv", write_labels)]


def _is_zarr(output: Path) -> bool:
    return output.suffix.lower() == ".zarr"


def _is_store(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _STORE)
