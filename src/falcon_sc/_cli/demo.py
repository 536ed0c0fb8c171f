"""``falcon-sc demo``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from falcon_sc._cli.options import as_path

if TYPE_CHECKING:
    import argparse

HELP = "run on 700 blood cells that ship with scanpy; show the tree of splits and one decision"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The folder."""
    parser.add_argument(
        "-o", "--output", type=as_path, default=Path("falcon_demo"), help="folder (default: falcon_demo)"
    )


def run(output: Path) -> None:
    """Say what was found and decided, and where report, picture and cells are."""
    from falcon_sc._checks import check_writable
    from falcon_sc._demo import FILES, demo

    print(demo(check_writable(output, "--output", folder=True, files=FILES)))
