"""The four BREEDS benchmarks: superclasses of ImageNet and their subclasses (Santurkar et al., 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from falcon_sc._checks import listed
from falcon_sc.vision.datasets._hierarchy import ROOT, Hierarchy
from falcon_sc.vision.datasets._imagenet import imagenet_files
from falcon_sc.vision.datasets._splits import Split, check_split

if TYPE_CHECKING:
    from pathlib import Path

    from falcon_sc.vision.datasets._image_data import ImageData


class _Tree(NamedTuple):
    level: int  # edges between the root and the superclasses
    ancestor: str
    n_superclasses: int  # Table 1
    n_subclasses: int  # of each superclass


# Level, ancestor and number of subclasses are those of the benchmark.
_TREES = {
    "living17": _Tree(5, "n00004258", 17, 4),  # living thing
    "nonliving26": _Tree(5, "n00021939", 26, 4),  # non-living thing
    "entity30": _Tree(4, ROOT, 30, 8),
    "entity13": _Tree(3, ROOT, 13, 20),
}
_SEED = 2  # with which the benchmark draws subclasses where a superclass has more than it needs


def breeds(
    name: Literal["living17", "nonliving26", "entity30", "entity13"],
    imagenet_root: str | Path,
    hierarchy_root: str | Path,
    *,
    split: Split = "train",
) -> ImageData:
    """Living17, Nonliving26, Entity30 or Entity13: image files of ImageNet, superclasses above its classes.

    The superclasses are the nodes of one depth in the hierarchy that have at least so many classes of ImageNet below
    them, and so many of these are drawn, with the benchmark's own seed:

    ============ ===== ============ ======== ======
    name         depth below        coarse   fine
    ============ ===== ============ ======== ======
    living17     5     living thing 17       68
    nonliving26  5     other things 26       104
    entity30     4     the root     30       240
    entity13     3     the root     13       260
    ============ ===== ============ ======== ======

    Parameters
    ----------
    name
        Which of the four.
    imagenet_root
        Folder with ``train/<wnid>/*.JPEG`` and ``val/<wnid>/*.JPEG``.
    hierarchy_root
        Folder with ``dataset_class_info.json``, ``class_hierarchy.txt`` and ``node_names.txt``: those of
        ``imagenet_class_hierarchy/modified`` in the public files of the benchmark (BREEDS-Benchmarks).
    split
        ``"train"``: all images of the training folder, the numbers of Table F1. ``"test"``: the validation folder, as
        in the paper. ``"train90"`` and ``"val"``: the first 90 % of each class by file name, and the rest (ours; the
        published code shuffles all images first). ``"all"``: both folders.

    Returns
    -------
    Paths of the images (they are decoded when they are needed), with fine and coarse labels and names.

    Raises
    ------
    ValueError
        If `name` or `split` is unknown, or the files give other numbers of classes than Table 1.
    FileNotFoundError
        If a file of the hierarchy or the folder of a class is missing.

    Examples
    --------
    >>> from falcon_sc.vision.datasets import breeds
    >>> train = breeds("living17", "imagenet", "imagenet_class_hierarchy/modified")  # doctest: +SKIP
    """
    check_split(split)
    if name not in _TREES:
        msg = f"name must be one of {listed(_TREES)}, found {name!r}."
        raise ValueError(msg)
    hierarchy = Hierarchy(hierarchy_root)
    subclasses = _subclasses(hierarchy, _TREES[name])
    if len(subclasses) != _TREES[name].n_superclasses:
        msg = (
            f"hierarchy_root gives {len(subclasses)} superclasses for {name}, the benchmark has "
            f"{_TREES[name].n_superclasses}: use the files in imagenet_class_hierarchy/modified."
        )
        raise ValueError(msg)
    coarse_of = {wnid: superclass for superclass, wnids in subclasses.items() for wnid in wnids}
    return imagenet_files(imagenet_root, list(coarse_of), coarse_of, hierarchy.names, split)


def _subclasses(hierarchy: Hierarchy, tree: _Tree) -> dict[str, list[str]]:
    """The subclasses drawn for each superclass."""
    rng = np.random.RandomState(_SEED)  # numpy keeps the stream of this generator for ever: the same classes for all
    chosen = {}
    for superclass in hierarchy.at_level(tree.level, tree.ancestor):
        candidates = sorted(hierarchy.leaves_below(superclass))
        if len(candidates) >= tree.n_subclasses:
            chosen[superclass] = sorted(rng.choice(candidates, tree.n_subclasses, replace=False).tolist())
    return chosen
