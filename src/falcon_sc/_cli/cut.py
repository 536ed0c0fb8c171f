"""``falcon-sc cut``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from falcon_sc._cli.options import add_fixed, add_output, add_result, as_path, number_or_auto

if TYPE_CHECKING:
    from pathlib import Path

HELP = "other numbers of fine classes, without running again"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options with the names of the arguments of `falcon_sc.tl.cut`; what is not given is left to it."""
    parser.add_argument("source", metavar="input", type=as_path, help="what discover or cut wrote")
    add_output(parser)
    options = parser.add_argument_group("options", argument_default=argparse.SUPPRESS)
    options.add_argument(
        "--n-fine", type=number_or_auto, help="total number of fine classes, or auto: the splits that are supported"
    )
    add_fixed(options)
    add_result(options)


def run(source: Path, output: Path, csv: Path | None, *, on_disk: bool, **options: Any) -> None:
    """Read, cut, write."""
    from falcon_sc._cli.keeping import write_all
    from falcon_sc._cli.target import Target

    target = Target.checked(source, output, csv, options.get("key", "falcon"), on_disk=on_disk)
    adata = target.read()

    from falcon_sc.tl import cut

    cut(adata, **options)
    write_all(target.outputs(adata))
