"""``falcon-sc pretrain``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from falcon_sc._cli.console import one_line
from falcon_sc._cli.keeping import Output, write_all
from falcon_sc._cli.options import add_options as add_each
from falcon_sc._cli.options import add_run_options, as_path

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

HELP = "train an image backbone without labels (MoCo-v3)"
_IMAGE_SUFFIXES = (".jpeg", ".jpg", ".png")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options with the names of the arguments of `falcon_sc.vision.pretrain`; what is not given is left to it."""
    parser.add_argument(
        "source",
        metavar="images",
        type=as_path,
        help="npz file with an array `images`, uint8, N x H x W x 3; or a folder of JPEG and PNG files, at any depth",
    )
    parser.add_argument("-o", "--output", type=as_path, required=True, help="file to write the weights to")
    options = parser.add_argument_group("options", argument_default=argparse.SUPPRESS)
    options.add_argument("--backbone", choices=("resnet18", "resnet50"), help="network (resnet18)")
    options.add_argument("--optimizer", choices=("lars", "sgd"), help="optimizer (lars)")
    add_each(
        options,
        (
            ("n-epochs", int, "passes over the images (1000)"),
            ("batch-size", int, "images of a step, of all processes together (256)"),
            ("lr", float, "largest learning rate (0.3)"),
            ("weight-decay", float, "weight decay (1e-6)"),
            ("temperature", float, "temperature of the loss (0.2)"),
            ("momentum", float, "momentum of the keys at the start (0.99)"),
            ("size", int, "side of the views in pixels (the shorter side of the images, at most 224)"),
            ("checkpoint", as_path, "folder for the state, from which an interrupted run goes on"),
        ),
    )
    add_run_options(options)


def run(source: Path, output: Path, **options: Any) -> None:
    """Read, train, write."""
    from falcon_sc._checks import check_writable

    output = check_writable(output, "--output", folder=False)
    images = _read_images(source)
    from falcon_sc.core.runtime import distributed
    from falcon_sc.vision import pretrain, save_encoder

    encoder = pretrain(images, **options)
    if distributed.rank() == 0:
        write_all([Output(output, "--output", lambda path: save_encoder(encoder, path))])


def _read_images(source: Path) -> NDArray[np.uint8] | list[str]:
    from falcon_sc._checks import listed

    if source.is_dir():
        # in the order of their names: the same images by the same numbers wherever the folder lies
        files = sorted(str(path) for path in source.rglob("*") if path.suffix.lower() in _IMAGE_SUFFIXES)
        if not files:
            msg = f"{str(source)!r} has no file that ends in {listed(_IMAGE_SUFFIXES)}."
            raise FileNotFoundError(msg)
        return files
    if not source.exists():
        msg = f"there is no file {str(source)!r}."
        raise FileNotFoundError(msg)
    archive, names = _array_of(source)
    if archive is None:
        msg = f"{str(source)!r} must be an npz file with an array 'images', found {listed(names)}."
        raise ValueError(msg)
    return archive


def _array_of(source: Path) -> tuple[NDArray[np.uint8] | None, list[str]]:
    """The array `images` of an npz file, and the names of all its arrays; none in a file of another kind."""
    import numpy as np

    try:
        with source.open("rb") as file:
            content = np.load(file, allow_pickle=False)
            if not isinstance(content, np.lib.npyio.NpzFile):
                return None, []
            return content["images"] if "images" in content.files else None, content.files
    except Exception as error:
        msg = f"{str(source)!r} cannot be read as an npz file ({type(error).__name__}: {one_line(error)})."
        raise ValueError(msg) from error
