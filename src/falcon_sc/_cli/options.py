"""Options that several commands take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from falcon_sc.core.runtime.files import as_path as as_path  # what argparse calls on a path

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable


def add_options(group: argparse._ArgumentGroup, options: Iterable[tuple[str, Callable[[str], Any], str]]) -> None:
    """Options of a name, a kind and a help text each."""
    for name, kind, text in options:
        group.add_argument(f"--{name}", type=kind, help=text)


def add_output(parser: argparse.ArgumentParser) -> None:
    """Where the cells are written, and their labels as a table."""
    parser.add_argument(
        "-o", "--output", type=as_path, required=True, help="what to write: a .h5ad file or .zarr store"
    )
    parser.add_argument(
        "--csv", type=as_path, help="labels and confidence of each cell as well, comma-separated: a .csv file"
    )


def add_run_options(group: argparse._ArgumentGroup) -> None:
    """What every long command takes."""
    group.add_argument("--device", help="cpu, cuda, ... (a GPU if there is one)")
    group.add_argument("--seed", dest="rng", type=int, help="seed (0)")
    group.add_argument("--no-progress-bar", dest="progress_bar", action="store_false", help="show no bar")
