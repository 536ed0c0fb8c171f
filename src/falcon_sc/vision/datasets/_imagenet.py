"""Files of chosen ImageNet classes: train/<wnid>/*.JPEG and val/<wnid>/*.JPEG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc._checks import listed
from falcon_sc.vision.datasets._image_data import ImageData
from falcon_sc.vision.datasets._splits import Split, parts_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The benchmarks test on the official validation images: those of the official test set have no public labels.
_FOLDERS = {"train": "train", "test": "val"}


def imagenet_files(
    root: str | Path,
    classes: Sequence[str],
    coarse_of: Mapping[str, str],
    names: Mapping[str, str],
    split: Split,
) -> ImageData:
    """Paths of the images of some classes, in the order of the classes and then of the file names.

    Parameters
    ----------
    root
        Folder of ImageNet.
    classes
        WordNet ids of the fine classes, in the order of their numbers.
    coarse_of
        The id of the coarse class of each; coarse classes are numbered as they first appear.
    names
        Names of ids, for the names of classes: the first synonym, with the id where two classes share it.
    split
        See :func:`falcon_sc.vision.datasets.cifar100`; the last tenth of a class is by file name.
    """
    folders = [Path(root).expanduser() / _FOLDERS[part] for part in parts_of(split)]
    for folder in folders:
        _check_folder(folder, classes)
    files = [[_files(folder / wnid) for wnid in classes] for folder in folders]
    paths = np.array([path for of_classes in files for of_class in of_classes for path in of_class])
    sizes = [[len(of_class) for of_class in of_classes] for of_classes in files]
    fine = np.concatenate([np.repeat(np.arange(len(classes)), counts) for counts in sizes])
    in_test = np.repeat([part == "test" for part in parts_of(split)], [sum(counts) for counts in sizes])
    rows = rows_of(split, fine, in_test)
    parents = list(dict.fromkeys(coarse_of[wnid] for wnid in classes))
    coarse_of_fine = np.array([parents.index(coarse_of[wnid]) for wnid in classes])
    return ImageData(
        paths[rows], fine[rows], coarse_of_fine[fine[rows]], _class_names(classes, names), _class_names(parents, names)
    )


def _check_folder(folder: Path, classes: Sequence[str]) -> None:
    if missing := [wnid for wnid in classes if not (folder / wnid).is_dir()]:
        msg = (
            f"imagenet_root: {str(folder)!r} lacks the folders of {len(missing)} of {len(classes)} classes: "
            f"{listed(missing)}. It must hold one folder of .JPEG files for each class, in train and in val."
        )
        raise FileNotFoundError(msg)


def _files(folder: Path) -> list[str]:
    files = sorted(str(path) for path in folder.iterdir() if path.suffix.lower() in {".jpeg", ".jpg", ".png"})
    if not files:
        msg = f"imagenet_root: {str(folder)!r} holds no image (.JPEG, .jpg, .png)."
        raise FileNotFoundError(msg)
    return files


def _class_names(wnids: Sequence[str], names: Mapping[str, str]) -> tuple[str, ...]:
    first = [names.get(wnid, wnid).split(",")[0] for wnid in wnids]
    return tuple(
        name if first.count(name) == 1 else f"{name} ({wnid})" for wnid, name in zip(wnids, first, strict=True)
    )
