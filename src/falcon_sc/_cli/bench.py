"""``falcon-sc bench``."""

from __future__ import annotations

import argparse
import os
from importlib import import_module
from inspect import signature
from pathlib import Path
from pkgutil import iter_modules

from falcon_sc._cli.options import as_path

HELP = "measure: one table a name"


def add_options(parser: argparse.ArgumentParser) -> None:
    """What a benchmark may take; which it takes, its `run` says."""
    names = sorted(_benchmarks())
    parser.add_argument("name", choices=names, help=", ".join(names))
    parser.add_argument(
        "--data", type=as_path, default=_data_folder(), help="folder with the data sets (default: $FALCON_SC_DATA)"
    )
    parser.add_argument("-o", "--output", type=as_path, default=None, help="folder for tables and plots")
    parser.add_argument("--seeds", type=int, default=None, help="number of seeds (of each benchmark its own)")
    parser.add_argument("--tables", type=words, default=None, help="tables of the paper, such as 5,N1")
    parser.add_argument(
        "--minutes", type=float, default=None, help="how long, for those that go on until they are stopped"
    )
    parser.add_argument(
        "--cells", type=numbers, default=None, help="numbers of cells, such as 3000,10000,100000,1000000"
    )
    parser.add_argument("--quick", action="store_true", default=None, help="a minute's worth of it")
    parser.add_argument("--only", type=words, default=None, help="data sets, such as starmap_mpfc,cbmc_citeseq")
    parser.add_argument("--methods", type=words, default=None, help="methods, such as Leiden,falcon_sc")
    parser.add_argument("--ways", type=words, default=None, help="how the cells are stored, such as memory,zarr")
    parser.add_argument(
        "--whole",
        action="store_const",
        const=True,
        default=None,
        help="the whole discover, for those that measure a part",
    )
    parser.add_argument("--simulate", type=int, default=None, help="cells of a simulated twin, for those that have one")
    parser.add_argument("--dataset", default=None, help="data set of the paper, such as cifar100")
    parser.add_argument("--root", type=as_path, default=None, help="folder of its official files")
    parser.add_argument(
        "--pretrained", type=as_path, default=None, help="weights that the backbone begins with (random ones)"
    )
    parser.add_argument(
        "--model", type=as_path, default=None, help="folder of a saved model, for what is drawn from one"
    )
    parser.add_argument("--figures", type=words, default=None, help="figures of the paper, such as 2,3,F1")
    parser.add_argument("--classes", type=words, default=None, help="classes that these show, such as spider,grouse")
    parser.add_argument(
        "--split",
        default=None,
        choices=("train", "train90", "val", "test", "all"),
        help="images that these show (test)",
    )
    parser.add_argument("--features", type=paths, default=None, help="files of frozen features, such as a.npz,b.npz")
    parser.add_argument("--encoder", default=None, help="network that takes them, such as efficientnet-lite1")
    parser.add_argument(
        "--spoil", default=None, help="labels made wrong before the training, in per cent: cells:10 or patches:10"
    )
    parser.add_argument("--preset", default=None, help="settings: paper (its text), published (its code) or ours")
    parser.add_argument("--epochs", type=int, default=None, help="in place of those of the preset, to try things out")
    parser.add_argument("--lr", type=float, default=None, help="learning rate on the settings of the paper")
    parser.add_argument(
        "--scale",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="z-scores of the genes for what trains on the settings of the paper",
    )
    parser.add_argument("--min-iterations", type=int, default=None, help="steps of all that trains, at least")
    parser.add_argument(
        "--jobs", type=int, default=None, help="runs at once, each on one core, for those that can (all cores)"
    )
    for level, example in (("coarse", "cell_type"), ("fine", "cell_state"), ("donor", "patient_id")):
        parser.add_argument(f"--{level}-key", default=None, help=f"column of obs in a file of --data ({example})")
    parser.add_argument("--device", default=None, help="cpu, cuda, ... (a GPU if there is one)")


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
