"""``falcon-sc report``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from falcon_sc._cli.options import add_options as add_each
from falcon_sc._cli.options import as_path

HELP = "one page about the fine classes: evidence, markers, donors, and what to look at"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options with the names of the arguments of `falcon_sc.tl.report`; what is not given is left to it."""
    parser.add_argument("source", metavar="input", type=as_path, help="what discover, cut or predict wrote")
    parser.add_argument(
        "-o", "--output", type=as_path, default=Path("report.html"), help="page to write: a .html file (report.html)"
    )
    options = parser.add_argument_group("options", argument_default=argparse.SUPPRESS)
    add_each(
        options,
        (
            ("key", str, "prefix of the result (falcon)"),
            ("by", str, "column of obs with the donor (the batch key of discover)"),
            ("depth", int, "levels of splits below the present fine classes (1)"),
        ),
    )


def run(source: Path, output: Path, **options: Any) -> None:
    """Read, gather, write."""
    from falcon_sc._cli.cells import check_file, read_cells

    check_file(output, "--output", ".html")
    adata = read_cells(source)

    from falcon_sc.tl import report

    print(f"wrote {report(adata, output, **options)}")
