"""Options that several commands take."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from falcon_sc.core.runtime import files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


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
    parser.add_argument(
        "--on-disk",
        action="store_true",
        help="read the matrix a few cells at a time, where it does not fit into memory; the output is a copy of the "
        "input with the results in it (needs dask)",
    )


def add_fixed(group: argparse._ArgumentGroup) -> None:
    """Numbers of some coarse classes."""
    group.add_argument(
        "--fixed",
        action=_Numbers,
        type=_class_and_number,
        metavar="CLASS=N",
        help="fine classes of one coarse class, as 'T cell=6'; once for each that you know",
    )


def add_run_options(group: argparse._ArgumentGroup) -> None:
    """What every long command takes."""
    group.add_argument("--device", help="cpu, cuda, ... (a GPU if there is one)")
    add_seed(group)


def add_seed(group: argparse._ArgumentGroup) -> None:
    """What every command takes that draws numbers."""
    group.add_argument("--seed", dest="rng", type=int, help="seed (0)")
    group.add_argument("--no-progress-bar", dest="progress_bar", action="store_false", help="show no bar")


def add_result(group: argparse._ArgumentGroup) -> None:
    """Which result of discover a decision is about."""
    group.add_argument("--key", help="prefix of the result (falcon)")
    group.add_argument(
        "--model", type=as_path, help="folder of the model, to be changed as well (where discover saved it)"
    )


def as_path(text: str) -> Path:
    """What argparse calls on a path; an empty one is often a variable of the shell that is not set."""
    if not text:
        msg = "the path is empty"
        raise argparse.ArgumentTypeError(msg)
    return files.as_path(text)


def number_or_auto(text: str) -> int | str:
    """What argparse calls on the value of --n-fine."""
    try:
        return text if text == "auto" else int(text)
    except ValueError:
        msg = f"give a number or auto, found {text!r}"
        raise argparse.ArgumentTypeError(msg) from None


class _Numbers(argparse.Action):
    """What is given for several classes, as one mapping."""

    def __call__(
        self, _parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, _option: str | None = None
    ) -> None:
        given, (name, number) = getattr(namespace, self.dest, None) or {}, values
        if given.get(name, number) != number:
            raise argparse.ArgumentError(self, f"{name!r} has two numbers, {given[name]} and {number}: give one")
        setattr(namespace, self.dest, given | {name: number})


def _class_and_number(text: str) -> tuple[str, int]:
    """What argparse calls on a value of --fixed."""
    name, _, number = text.rpartition("=")
    if not name or not number.isdecimal():
        msg = f"give CLASS=N, for instance 'T cell=6', found {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return name, int(number)
