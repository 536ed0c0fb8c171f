"""``falcon-sc markers``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from falcon_sc._cli.options import add_options as add_each
from falcon_sc._cli.options import as_path

if TYPE_CHECKING:
    from pathlib import Path

HELP = "genes of each fine class, against its siblings and against all, as a table"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options with the names of the arguments of `falcon_sc.tl.markers`; what is not given is left to it."""
    parser.add_argument("source", metavar="input", type=as_path, help="what discover or predict wrote")
    parser.add_argument(
        "-o", "--output", type=as_path, required=True, help="table to write, comma-separated: a .csv file"
    )
    options = parser.add_argument_group("options", argument_default=argparse.SUPPRESS)
    add_each(
        options,
        (
            ("key", str, "prefix of the result (falcon)"),
            ("layer", str, "layer to read instead of X"),
            ("n-genes", int, "genes of each comparison, the best ones (100)"),
        ),
    )
    options.add_argument(
        "--values", choices=("counts", "lognorm", "continuous"), help="what the matrix holds (recognized)"
    )
    options.add_argument("--method", choices=("t-test", "wilcoxon", "t-test_overestim_var"), help="test (t-test)")


def run(source: Path, output: Path, **options: Any) -> None:
    """Read, rank, write."""
    from falcon_sc._cli.cells import check_file, read_cells, write_table
    from falcon_sc._cli.keeping import Output, write_all

    output = check_file(output, "--output", ".csv")
    adata = read_cells(source)

    from falcon_sc.tl import markers

    table = markers(adata, **options)
    write_all([Output(output, "--output", lambda path: write_table(table, path, index=False))])
