"""``falcon-sc discover | pretrain | demo | bench``."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
from importlib import import_module
from inspect import signature
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray

USER_ERROR = 2
_IMAGE_SUFFIXES = (".jpeg", ".jpg", ".png")
_INTERRUPTED = 130  # what a shell reports for Ctrl-C


def main(argv: list[str] | None = None) -> int:
    """Run the command line; what the user can put right ends as one line on stderr and exit code 2."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger().setLevel(logging.WARNING)
    logging.getLogger("falcon_sc").setLevel(logging.INFO)
    try:
        arguments.command(arguments)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return _INTERRUPTED
    except (ArithmeticError, KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        if arguments.traceback:
            raise
        # str() of a KeyError puts its message in quotes
        message = error.args[0] if isinstance(error, KeyError) and error.args else error
        sys.stderr.write(f"falcon-sc: error: {' '.join(str(message).split())}\n")
        return USER_ERROR
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="falcon-sc", description="Discover fine-grained cell types inside coarse annotations."
    )
    parser.add_argument("--traceback", action="store_true", help="show the whole traceback of an error")
    commands = parser.add_subparsers(required=True, metavar="{discover,pretrain,demo,bench}")
    _add_discover(commands.add_parser("discover", help="fine classes for the cells of an h5ad file"))
    _add_pretrain(commands.add_parser("pretrain", help="train an image backbone without labels (MoCo-v3)"))
    demo = commands.add_parser("demo", help="run on 700 blood cells that ship with scanpy, and draw a picture")
    demo.add_argument("-o", "--output", type=Path, default=Path("falcon_demo"), help="folder (default: falcon_demo)")
    demo.set_defaults(command=_demo)
    bench = commands.add_parser("bench", help="measure: one table a name")
    bench.add_argument("name", choices=sorted(_benchmarks()), help=", ".join(sorted(_benchmarks())))
    bench.add_argument(
        "--data",
        type=Path,
        default=_data_folder(),
        help="folder with the data sets (default: $FALCON_SC_DATA)",
    )
    bench.add_argument("-o", "--output", type=Path, default=None, help="folder for tables and plots")
    bench.add_argument("--seeds", type=int, default=None, help="number of seeds (of each benchmark its own)")
    bench.add_argument("--device", default=None, help="cpu, cuda, ... (a GPU if there is one)")
    bench.set_defaults(command=_bench)
    return parser


def _add_discover(parser: argparse.ArgumentParser) -> None:
    """Options with the names of the arguments of `falcon_sc.tl.discover`; what is not given is left to it."""
    parser.set_defaults(command=_discover)
    parser.add_argument("input", type=Path, help="h5ad file")
    parser.add_argument("--coarse-key", required=True, help="column of obs with the coarse labels")
    parser.add_argument(
        "--n-fine", type=_number_or_auto, required=True, help="total number of fine classes, or auto: estimate it"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="h5ad file to write")
    options = parser.add_argument_group("options", argument_default=argparse.SUPPRESS)
    for name, kind, text in (
        ("layer", str, "layer to read instead of X"),
        ("use-rep", str, "embedding in obsm to use instead of genes"),
        ("n-top-genes", int, "number of highly variable genes (2000)"),
        ("batch-key", str, "column of obs, e.g. the donor: choose genes across batches"),
        ("dataset-key", str, "column of obs that tells apart data sets with coarse labels of their own"),
        ("n-neighbors", int, "neighbours of a cell inside its coarse class (20)"),
        ("max-epochs", int, "epochs of training"),
        ("batch-size", int, "cells of a minibatch"),
        ("lr", float, "learning rate"),
        ("key-added", str, "prefix of what is written (falcon)"),
        ("save-model", Path, "folder to save the model in"),
        ("checkpoint", Path, "state of the training, from which an interrupted run goes on"),
    ):
        options.add_argument(f"--{name}", type=kind, help=text)
    options.add_argument("--relation-solver", choices=("auto", "flow", "gurobi"), help="solver of the relation (auto)")
    _add_run(options)


def _add_run(options: argparse._ArgumentGroup) -> None:
    """What every long command takes."""
    options.add_argument("--device", help="cpu, cuda, ... (a GPU if there is one)")
    options.add_argument("--seed", dest="rng", type=int, help="seed (0)")
    options.add_argument("--no-progress-bar", dest="progress_bar", action="store_false", help="show no bar")


def _number_or_auto(text: str) -> int | str:
    """What argparse calls on the value of --n-fine."""
    try:
        return text if text == "auto" else int(text)
    except ValueError:
        msg = f"give a number or auto, found {text!r}"
        raise argparse.ArgumentTypeError(msg) from None


def _discover(arguments: argparse.Namespace) -> None:
    from falcon_sc._checks import check_writable

    options = dict(vars(arguments))
    for name in ("command", "traceback"):
        del options[name]
    source, output = options.pop("input"), check_writable(options.pop("output"), "--output", folder=False)
    if not source.is_file():
        msg = f"there is no file {str(source)!r}."
        raise FileNotFoundError(msg)
    import anndata

    from falcon_sc.tl import discover

    adata = anndata.read_h5ad(source)
    discover(adata, options.pop("coarse_key"), options.pop("n_fine"), **options)
    _write_h5ad(adata, output)
    print(f"wrote {output}")


def _add_pretrain(parser: argparse.ArgumentParser) -> None:
    """Options with the names of the arguments of `falcon_sc.vision.pretrain`; what is not given is left to it."""
    parser.set_defaults(command=_pretrain)
    parser.add_argument(
        "images",
        type=Path,
        help="npz file with an array `images`, uint8, N x H x W x 3; or a folder of JPEG and PNG files, at any depth",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="file to write the weights to")
    options = parser.add_argument_group("options", argument_default=argparse.SUPPRESS)
    options.add_argument("--backbone", choices=("resnet18", "resnet50"), help="network (resnet18)")
    options.add_argument("--optimizer", choices=("lars", "sgd"), help="optimizer (lars)")
    for name, kind, text in (
        ("n-epochs", int, "passes over the images (1000)"),
        ("batch-size", int, "images of a step, of all processes together (256)"),
        ("lr", float, "largest learning rate (0.3)"),
        ("weight-decay", float, "weight decay (1e-6)"),
        ("temperature", float, "temperature of the loss (0.2)"),
        ("momentum", float, "momentum of the keys at the start (0.99)"),
        ("size", int, "side of the views in pixels (the shorter side of the images, at most 224)"),
        ("checkpoint", Path, "folder for the state, from which an interrupted run goes on"),
    ):
        options.add_argument(f"--{name}", type=kind, help=text)
    _add_run(options)


def _pretrain(arguments: argparse.Namespace) -> None:
    from falcon_sc._checks import check_writable

    options = dict(vars(arguments))
    for name in ("command", "traceback"):
        del options[name]
    source, output = options.pop("images"), check_writable(options.pop("output"), "--output", folder=False)
    images = _read_images(source)
    from falcon_sc.core.runtime import distributed
    from falcon_sc.vision import pretrain, save_encoder

    encoder = pretrain(images, **options)
    if distributed.rank() == 0:
        save_encoder(encoder, output)
        print(f"wrote {output}")


def _read_images(source: Path) -> NDArray[np.uint8] | list[str]:
    import numpy as np

    from falcon_sc._checks import listed

    if source.is_dir():
        # in the order of their names: the same images by the same numbers wherever the folder lies
        files = sorted(str(path) for path in source.rglob("*") if path.suffix.lower() in _IMAGE_SUFFIXES)
        if not files:
            msg = f"{str(source)!r} has no file that ends in {listed(_IMAGE_SUFFIXES)}."
            raise FileNotFoundError(msg)
        return files
    found = np.load(source, allow_pickle=False)
    names: list[str] = []
    if isinstance(found, np.lib.npyio.NpzFile):
        with found:
            names = found.files
            if "images" in names:
                images: NDArray[np.uint8] = found["images"]
                return images
    msg = f"{str(source)!r} must be an npz file with an array 'images', found {listed(names)}."
    raise ValueError(msg)


def _write_h5ad(adata: AnnData, output: Path) -> None:
    """Write beside the target and move: what was there stays until the new file is whole."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as folder:
        whole = Path(folder) / output.name
        adata.write_h5ad(whole)
        whole.replace(output)


def _demo(arguments: argparse.Namespace) -> None:
    from falcon_sc._checks import check_writable
    from falcon_sc._demo import demo

    print(demo(check_writable(arguments.output, "--output", folder=True)))


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
    return Path(folder) if folder else None


def _bench(arguments: argparse.Namespace) -> None:
    run = import_module(_benchmarks()[arguments.name]).run
    accepted = signature(run).parameters
    asked = {"seeds": arguments.seeds, "device": arguments.device}
    for name, value in asked.items():
        if value is not None and name not in accepted:
            msg = f"bench {arguments.name} takes no --{name}."
            raise ValueError(msg)
    # what is not given is left to the benchmark, which knows whether it can do without
    given = {"data": arguments.data, "out": arguments.output, **asked}
    run(**{name: value for name, value in given.items() if name in accepted and value is not None})


if __name__ == "__main__":
    sys.exit(main())
