"""``falcon-sc discover``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from falcon_sc._cli.keeping import Output, write_all
from falcon_sc._cli.options import add_fixed, add_output, add_run_options, as_path, number_or_auto
from falcon_sc._cli.options import add_options as add_each

if TYPE_CHECKING:
    from pathlib import Path

HELP = "fine classes for the cells of an h5ad file or a zarr store"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options with the names of the arguments of `falcon_sc.tl.discover`; what is not given is left to it."""
    parser.add_argument("source", metavar="input", type=as_path, help="h5ad file or zarr store")
    parser.add_argument("--coarse-key", required=True, help="column of obs with the coarse labels")
    parser.add_argument(
        "--n-fine", type=number_or_auto, required=True, help="total number of fine classes, or auto: estimate it"
    )
    add_output(parser)
    options = parser.add_argument_group("options", argument_default=argparse.SUPPRESS)
    add_each(
        options,
        (
            ("layer", str, "layer to read instead of X"),
            ("use-rep", str, "embedding in obsm to use instead of genes"),
            ("n-top-genes", int, "number of highly variable genes (2000)"),
            ("batch-key", str, "column of obs, e.g. the donor: choose genes across batches"),
            ("dataset-key", str, "column of obs that tells apart data sets with coarse labels of their own"),
            ("n-neighbors", int, "neighbors of a cell inside its coarse class (20)"),
            ("max-epochs", int, "epochs of training"),
            ("batch-size", int, "cells of a minibatch"),
            ("lr", float, "learning rate"),
            ("n-jobs", int, "cores to take, on a machine that is shared (all that may be used)"),
            ("key-added", str, "prefix of what is written (falcon)"),
            ("save-model", as_path, "folder to save the model in"),
            ("checkpoint", as_path, "folder for the state of the run, from which an interrupted run goes on"),
        ),
    )
    add_fixed(options)
    options.add_argument(
        "--values", choices=("counts", "lognorm", "continuous"), help="what the matrix holds (recognized)"
    )
    options.add_argument("--relation-solver", choices=("auto", "flow", "gurobi"), help="solver of the relation (auto)")
    add_run_options(options)


def run(
    source: Path, output: Path, csv: Path | None, *, coarse_key: str, n_fine: Any, on_disk: bool, **options: Any
) -> None:
    """Read, discover, write."""
    from falcon_sc._cli.target import Target

    target = Target.checked(source, output, csv, options.get("key_added", "falcon"), on_disk=on_disk)

    from falcon_sc._saving import ModelNotSavedError, check_outside
    from falcon_sc.tl import discover

    folders = {name: options.get(name) for name in ("save_model", "checkpoint")}
    check_outside(folders, {"--output": output, "--csv": csv})
    adata = target.read()

    outputs = target.outputs(adata)
    try:
        discover(adata, coarse_key, n_fine, **options)
    except ModelNotSavedError as error:  # adata has the labels
        outputs.append(Output(options["save_model"], "--save-model", error.model.save))
    write_all(outputs)
