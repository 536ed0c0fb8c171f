"""tieredImageNet with all its classes: 608 of ImageNet in 34 categories (Ren et al., 2018; appendix F)."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from falcon_sc._checks import listed
from falcon_sc.vision.datasets._imagenet import imagenet_files
from falcon_sc.vision.datasets._splits import Split, check_split

if TYPE_CHECKING:
    from falcon_sc.vision.datasets._image_data import ImageData

# Classes and categories of the training, validation and test taxonomies, which share none.
_FILES = {"train.csv": (351, 20), "val.csv": (97, 6), "test.csv": (160, 8)}


def tiered_imagenet(imagenet_root: str | Path, taxonomy_root: str | Path, *, split: Split = "train") -> ImageData:
    """tieredImageNet: image files of ImageNet with 34 coarse and 608 fine classes, 10 to 30 in each.

    As in the paper, the three taxonomies of the benchmark (for few-shot learning, with disjoint classes) are put
    together, the images keep their resolution, and the splits are those of ImageNet.

    Parameters
    ----------
    imagenet_root
        Folder with ``train/<wnid>/*.JPEG`` and ``val/<wnid>/*.JPEG``.
    taxonomy_root
        Folder with ``train.csv``, ``val.csv`` and ``test.csv``, one "wnid of the class,wnid of its category" a line:
        ``l2kl/data/tiered_imagenet_split`` in the authors' public files (few-shot-ssl-public).
    split
        ``"train"``: all images of the training folder (779,000). ``"test"``: the validation folder, 50 images a class
        (30,400), as in the paper. ``"train90"``, ``"val"``: the first 90 % of each class by file name, and the rest
        (ours; the paper has no validation images here). ``"all"``: both folders.

    Returns
    -------
    Paths of the images (they are decoded when they are needed), with fine and coarse labels; classes are named by
    their WordNet ids, as the files give no other name.

    Raises
    ------
    ValueError
        If `split` is unknown, a line is none of two ids, or the files give other numbers of classes than Table 1.
    FileNotFoundError
        If a file of the taxonomy or the folder of a class is missing.

    Examples
    --------
    >>> from falcon_sc.vision.datasets import tiered_imagenet
    >>> train = tiered_imagenet("imagenet", "tiered_imagenet_split")  # doctest: +SKIP
    """
    check_split(split)
    coarse_of: dict[str, str] = {}
    folder = Path(taxonomy_root).expanduser()
    if missing := [name for name in _FILES if not (folder / name).is_file()]:
        msg = f"taxonomy_root={str(folder)!r} lacks {listed(missing)}: give the folder of {listed(_FILES)}."
        raise FileNotFoundError(msg)
    for name, expected in _FILES.items():
        pairs = _pairs(folder / name)
        counts = len(pairs), len(set(pairs.values()))
        if counts != expected:
            msg = (
                f"taxonomy_root: {str(folder / name)!r} has {counts[0]} classes in {counts[1]} categories, "
                f"the official file has {expected[0]} in {expected[1]}: use the official files."
            )
            raise ValueError(msg)
        coarse_of |= pairs
    return imagenet_files(imagenet_root, sorted(coarse_of), coarse_of, {}, split)


def _pairs(path: Path) -> dict[str, str]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row]
    if wrong := [row for row in rows if len(row) != 2]:
        msg = f"taxonomy_root: {str(path)!r} has the line {','.join(wrong[0])!r}; each must be 'class,category'."
        raise ValueError(msg)
    return {wnid.strip(): category.strip() for wnid, category in rows}
