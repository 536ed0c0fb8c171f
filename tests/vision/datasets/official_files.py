"""Writes files in the official formats."""

from __future__ import annotations

import hashlib
import io
import pickle
import pickletools
import tarfile
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

# Official names in the order of the archive, and the coarse class of each fine class.
_FINE_NAMES = (
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle "
    "caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant "
    "flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man "
    "maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree "
    "plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper "
    "snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train "
    "trout tulip turtle wardrobe whale willow_tree wolf woman worm"
)
_COARSE_NAMES = (
    "aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices "
    "household_furniture insects large_carnivores large_man-made_outdoor_things large_natural_outdoor_scenes "
    "large_omnivores_and_herbivores medium_mammals non-insect_invertebrates people reptiles small_mammals trees "
    "vehicles_1 vehicles_2"
)
_COARSE_OF_FINE = (
    "4 1 14 8 0 6 7 7 18 3 3 14 9 18 7 11 3 9 7 11 6 11 5 10 7 6 13 15 3 15 0 11 1 10 12 14 16 9 11 5 5 19 8 8 15 13 "
    "14 17 18 10 16 4 17 4 2 0 17 4 18 17 10 3 2 12 12 16 12 1 9 19 2 10 0 1 16 12 9 13 15 13 16 19 2 4 6 19 5 5 8 19 "
    "18 1 2 15 6 0 17 8 14 13"
)
FINE_NAMES, COARSE_NAMES = _FINE_NAMES.split(), _COARSE_NAMES.split()
COARSE_OF_FINE = [int(number) for number in _COARSE_OF_FINE.split()]


def python2_pickle(content: object) -> bytes:
    """Pickled as Python 2 with an old numpy did it: no unicode, bytes as str, arrays of numpy.core."""
    pickled = bytearray(pickle.dumps(content, protocol=3))
    as_python2 = {"BINBYTES": b"T", "SHORT_BINBYTES": b"U", "BINUNICODE": b"T", "PROTO": b"\x80"}
    for opcode, _, position in pickletools.genops(bytes(pickled)):
        if opcode.name in as_python2:
            pickled[position : position + 1] = as_python2[opcode.name]
    pickled[1] = 2
    return bytes(pickled).replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def cifar_files(n_train: int, n_test: int) -> dict[str, bytes]:
    """The three files of the archive, with so many images a class. The first pixels tell class and rank."""
    files = {}
    for part, n in (("train", n_train), ("test", n_test)):
        fine = np.tile(np.arange(100), n)
        data = np.zeros((len(fine), 3072), np.uint8)
        data[:, 0], data[:, 1024], data[:, 2048 + 32] = fine, np.arange(len(fine)) // 100 % 256, 7
        files[part] = python2_pickle(
            {
                "data": data,
                "fine_labels": fine.tolist(),
                "coarse_labels": np.array(COARSE_OF_FINE)[fine].tolist(),
                "batch_label": f"{part}ing batch 1 of 1",
                "filenames": [f"image_{i}.png" for i in range(3)],
            }
        )
    files["meta"] = python2_pickle({"fine_label_names": FINE_NAMES, "coarse_label_names": COARSE_NAMES})
    return files


def md5_of(files: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.md5(content, usedforsecurity=False).hexdigest() for name, content in files.items()}


def write_archive(path: Path, files: dict[str, bytes]) -> str:
    """Writes the packed archive and returns its SHA-256."""
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-100-python/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_folder(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
