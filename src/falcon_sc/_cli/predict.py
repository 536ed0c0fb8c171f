"""``falcon-sc predict``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from falcon_sc._cli.options import add_options as add_each
from falcon_sc._cli.options import add_output, as_path

if TYPE_CHECKING:
    from pathlib import Path

HELP = "the fine classes of a saved model for other cells"
CALLED_OTHERWISE = {"path": "--model"}  # of Falcon.load


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options with the names of the arguments of `falcon_sc.tl.predict`; what is not given is left to it."""
    parser.add_argument("source", metavar="input", type=as_path, help="h5ad file or zarr store")
    parser.add_argument("--model", type=as_path, required=True, help="folder that discover --save-model wrote")
    add_output(parser)
    options = parser.add_argument_group("options", argument_default=argparse.SUPPRESS)
    add_each(
        options,
        (
            ("coarse-key", str, "column of obs with the coarse labels, if they are known"),
            ("layer", str, "layer to read instead of X"),
            ("use-rep", str, "embedding in obsm, for a model that was trained on one"),
            ("dataset-key", str, "column of obs with the data set whose coarse labels there are"),
            ("key-added", str, "prefix of what is written (falcon)"),
        ),
    )
    options.add_argument("--device", help="cpu, cuda, ... (a GPU if there is one)")
    options.add_argument(
        "--values", choices=("counts", "lognorm", "continuous"), help="what the matrix holds (recognized)"
    )
    options.add_argument(
        "--missing-genes", choices=("error", "fill"), help="genes of the model that the cells lack (error)"
    )


def run(source: Path, output: Path, model: Path, csv: Path | None, *, on_disk: bool, **options: Any) -> None:
    """Read, predict, write."""
    from falcon_sc._cli.keeping import write_all
    from falcon_sc._cli.target import Target

    target = Target.checked(source, output, csv, options.get("key_added", "falcon"), on_disk=on_disk)
    adata = target.read()

    from falcon_sc.core.model import Falcon
    from falcon_sc.tl import predict

    predict(adata, Falcon.load(model, device=options.pop("device", None)), **options)
    write_all(target.outputs(adata))
