"""``falcon-sc refine``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from falcon_sc._cli.options import add_output, add_result, add_seed, as_path

if TYPE_CHECKING:
    from pathlib import Path

HELP = "a look deeper into one coarse class, the others as they are"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options with the names of the arguments of `falcon_sc.tl.refine`; what is not given is left to it."""
    parser.add_argument("source", metavar="input", type=as_path, help="what discover, cut or refine wrote")
    parser.add_argument("--class", dest="name", required=True, help="the coarse class, as 'T cell'")
    parser.add_argument("--n-fine", type=int, required=True, help="its number of fine classes")
    add_output(parser)
    options = parser.add_argument_group("options", argument_default=argparse.SUPPRESS)
    add_result(options)
    add_seed(options)


def run(source: Path, output: Path, csv: Path | None, *, name: str, n_fine: int, on_disk: bool, **options: Any) -> None:
    """Read, refine, write."""
    from falcon_sc._cli.keeping import write_all
    from falcon_sc._cli.target import Target

    target = Target.checked(source, output, csv, options.get("key", "falcon"), on_disk=on_disk)
    adata = target.read()

    from falcon_sc.tl import refine

    refine(adata, name, n_fine, **options)
    write_all(target.outputs(adata))
