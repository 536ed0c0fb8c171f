"""``falcon-sc bench``."""

from __future__ import annotations

import argparse
import ast
import os
from importlib import import_module
from inspect import signature
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from falcon_sc._cli.options import as_path

HELP = "measure: one table a name"


def numbers(text: str) -> tuple[int, ...]:
    """Whole numbers with commas between them; argparse reports what is none."""
    numbers = tuple(int(number) for number in text.split(","))
    if min(numbers) < 1:
        raise ValueError
    return numbers


def words(text: str) -> tuple[str, ...]:
    """Names with commas between them; the benchmark knows which of them hold a comma."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def paths(text: str) -> tuple[Path, ...]:
    """Files with commas between them."""
    return tuple(as_path(name) for name in words(text))


# Where `run` of a benchmark has a parameter of this name; all are left to it where they are not given.
_OPTIONS: dict[str, dict[str, Any]] = {
    "data": {"type": as_path, "help": "folder with the data sets (default: $FALCON_SC_DATA)"},
    "output": {"type": as_path, "help": "folder for tables and plots"},
    "seeds": {"type": int, "help": "number of seeds"},
    "tables": {"type": words, "help": "tables of the paper, such as 5,N1"},
    "minutes": {"type": float, "help": "how long, for those that go on until they are stopped"},
    "cells": {"type": numbers, "help": "numbers of cells, such as 3000,10000,100000,1000000"},
    "quick": {"action": "store_const", "const": True, "help": "a minute's worth of it"},
    "only": {"type": words, "help": "data sets, such as starmap_mpfc,cbmc_citeseq"},
    "methods": {"type": words, "help": "methods, such as Leiden,falcon_sc"},
    "ways": {"type": words, "help": "how the cells are stored, such as memory,zarr"},
    "whole": {"action": "store_const", "const": True, "help": "the whole discover, for those that measure a part"},
    "simulate": {"type": int, "help": "cells of a simulated twin, for those that have one"},
    "dataset": {"help": "data set of the paper, such as cifar100"},
    "root": {"type": as_path, "help": "folder of its official files"},
    "pretrained": {"type": as_path, "help": "weights that the backbone begins with (random ones)"},
    "model": {"type": as_path, "help": "folder of a saved model, for what is drawn from one"},
    "figures": {"type": words, "help": "figures of the paper, such as 2,3,F1"},
    "classes": {"type": words, "help": "classes that these show, such as spider,grouse"},
    "split": {"choices": ("train", "train90", "val", "test", "all"), "help": "images that these show (test)"},
    "features": {"type": paths, "help": "files of frozen features, such as a.npz,b.npz"},
    "encoder": {"help": "network that takes them, such as efficientnet-lite1"},
    "spoil": {"help": "labels made wrong before the training, in per cent: cells:10 or patches:10"},
    "preset": {"help": "settings: paper (its text), published (its code) or ours"},
    "epochs": {"type": int, "help": "in place of those of the preset, to try things out"},
    "lr": {"type": float, "help": "learning rate on the settings of the paper"},
    "dims": {"type": numbers, "help": "dimensions of planted data, such as 5,10,20,50"},
    "scale": {
        "action": argparse.BooleanOptionalAction,
        "help": "z-scores of the genes for what trains on the settings of the paper",
    },
    "min_iterations": {"type": int, "help": "steps of all that trains, at least"},
    "jobs": {"type": int, "help": "runs at once, each on one core, for those that can (all cores)"},
    "coarse_key": {"help": "column of obs in a file of --data, coarse labels"},
    "fine_key": {"help": "column of obs in a file of --data, fine labels"},
    "donor_key": {"help": "column of obs in a file of --data, donors"},
    "device": {"help": "cpu, cuda, ... (a GPU if there is one)"},
}
_SHORT = {"output": ("-o",)}


def add_options(parser: argparse.ArgumentParser) -> None:
    """What a benchmark may take; which it takes, its `run` says."""
    parser.usage = "%(prog)s NAME [options]"
    parser.add_argument("-h", "--help", action=_Help, nargs=0, help="show this help message and exit")
    parser.add_argument("name", choices=sorted(_benchmarks()), metavar="NAME", help="which one")
    for option in _OPTIONS:
        _add(parser, option)
    parser.set_defaults(data=_data_folder())


def _add(parser: argparse.ArgumentParser, option: str, default: str = "") -> None:
    keywords = _OPTIONS[option]
    names = (*_SHORT.get(option, ()), f"--{option.replace('_', '-')}")
    parser.add_argument(*names, default=None, **keywords | {"help": keywords["help"] + default})


class _Help(argparse.Action):
    """The benchmarks, each in a line; or, behind the name of one, what it measures and the options that it takes."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *_: Any) -> None:
        name = getattr(namespace, "name", None)
        if name is None:
            lines = {known: _first_line(module) for known, module in sorted(_benchmarks().items())}
            width = max(map(len, lines))
            listed = "\n".join(f"  {known:{width}}  {line}" for known, line in lines.items())
            print(f"usage: {parser.prog} NAME [options]\n\n{listed}\n\noptions: {parser.prog} NAME -h")
            parser.exit()
        module = _benchmarks()[name]
        own = argparse.ArgumentParser(
            prog=f"{parser.prog} {name}", usage="%(prog)s [options]", description=_first_line(module)
        )
        accepted = signature(import_module(module).run).parameters
        if "data_file" in accepted:
            own.add_argument("--data", help="file with the data")
        for option in _OPTIONS:
            parameter = accepted.get("out" if option == "output" else option)
            if parameter is not None:
                _add(own, option, _in_words(parameter.default))
        own.print_help()
        parser.exit()


def _in_words(default: object) -> str:
    """What is said of a default: of None and of empty ones, the help of the option does."""
    if isinstance(default, bool) or not default:
        return ""
    return f" [{'; '.join(map(str, default)) if isinstance(default, tuple) else default}]"


def _first_line(module: str) -> str:
    """The first line of its docstring, read from its file: some take seconds to import."""
    from falcon_sc import benchmarks

    file = Path(benchmarks.__path__[0], *module.split(".")[2:]).with_suffix(".py")
    return (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").partition("\n")[0]


def run(name: str, data: Path | None, output: Path | None, **asked: object) -> None:
    """Run one; what is not given is left to it, which knows whether it can do without."""
    from falcon_sc._checks import check_writable

    benchmark = import_module(_benchmarks()[name]).run
    accepted = signature(benchmark).parameters
    for option, value in asked.items():
        if value is not None and option not in accepted:
            msg = f"bench {name} takes no --{option.replace('_', '-')}."
            raise ValueError(msg)
    if data is not None and "data" in accepted and not data.is_dir():
        msg = f"--data={str(data)!r} is no folder."
        raise FileNotFoundError(msg)
    data_file = None if data is None or data.is_dir() else data  # a folder may be that of the variable, for the others
    if data_file is not None and "data_file" in accepted and not data_file.is_file():
        msg = f"--data={str(data)!r} is no file."
        raise FileNotFoundError(msg)
    out = None if output is None else check_writable(output, "--output", folder=True)
    given = {"data": data, "data_file": data_file, "out": out, **asked}
    benchmark(**{option: value for option, value in given.items() if option in accepted and value is not None})


def _benchmarks() -> dict[str, str]:
    """Benchmarks by name, the public modules in the rooms of `falcon_sc.benchmarks`, and where each is."""
    from falcon_sc import benchmarks

    rooms = [
        Path(folder) / room.name for folder in benchmarks.__path__ for room in iter_modules([folder]) if room.ispkg
    ]
    return {
        module.name: f"falcon_sc.benchmarks.{room.name}.{module.name}"
        for room in rooms
        for module in iter_modules([str(room)])
        if not module.name.startswith("_")
    }


def _data_folder() -> Path | None:
    folder = os.environ.get("FALCON_SC_DATA")
    return as_path(folder) if folder else None
