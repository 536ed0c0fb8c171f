"""Cells of a file, and where they are written once there are results in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from falcon_sc._cli.cells import check_file, read_cells, write_cells, write_table
from falcon_sc._cli.keeping import Output
from falcon_sc._cli.on_disk import open_cells, write_copy
from falcon_sc._on_disk.files import check_cells_file, compression_of, is_zarr

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


@dataclass(frozen=True)
class Target:
    """Where the cells of `source` are written with results under `key`, and their labels as a table, if `csv` is given.

    With `on_disk` the matrices of the cells are never in memory: the file is copied, and the results are put into the copy.
    """

    source: Path
    output: Path
    csv: Path | None
    key: str
    on_disk: bool

    @classmethod
    def checked(cls, source: Path, output: Path, csv: Path | None, key: str, *, on_disk: bool) -> Target:
        """Refuse, before any work, what cannot be written."""
        output = check_cells_file(output, "--output")
        if on_disk and source.exists() and is_zarr(output) != source.is_dir():
            suffix = ".zarr" if source.is_dir() else ".h5ad"
            msg = f"--output={str(output)!r}: with --on-disk the file is copied, so give a name that ends in {suffix}."
            raise ValueError(msg)
        return cls(source, output, None if csv is None else check_file(csv, "--csv", ".csv"), key, on_disk)

    def read(self) -> AnnData:
        """The cells."""
        return open_cells(self.source) if self.on_disk else read_cells(self.source)

    def outputs(self, adata: AnnData) -> list[Output]:
        """What there is to write; how the file that was read is compressed, so is the new one."""
        compression = compression_of(self.source)

        def write(path: Path) -> None:
            if self.on_disk:
                write_copy(adata, self.source, path, compression)
            else:
                write_cells(adata, path, compression)

        def write_labels(path: Path) -> None:
            import pandas as pd

            names = [f"{self.key}_fine", f"{self.key}_confidence"]
            write_table(pd.DataFrame({name: adata.obs[name] for name in names}), path, index_label="cell")

        outputs = [Output(self.output, "--output", write, least=("labels.csv", write_labels))]
        return outputs if self.csv is None else [*outputs, Output(self.csv, "--csv", write_labels)]
