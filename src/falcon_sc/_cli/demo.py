"""``falcon-sc demo``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from falcon_sc._cli.options import as_path

if TYPE_CHECKING:
    import argparse

HELP = "run on 700 blood cells that ship with scanpy, and draw a picture"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The folder."""
    parser.add_argument(
        "-o", "--output", type=as_path, default=Path("falcon_demo"), help="folder (default: falcon_demo)"
    )


def run(output: Path) -> None:
    """Say how well it went, and where the picture is."""
    from falcon_sc._checks import check_writable
    from falcon_sc._demo import CELLS, PICTURE, demo

    print(demo(check_writable(output, "--output", folder=True, files=(CELLS, PICTURE))))
