"""The same images under other coarse labels (section 3.4), and taxonomy T2 of CIFAR-100 (appendix I)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc._checks import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from falcon_sc.vision.datasets._image_data import ImageData

# Table I1, right half, with the names of the archive (maple_tree where the paper says maple).
T2: Mapping[str, Sequence[str]] = {
    "trees": ("maple_tree", "oak_tree", "palm_tree", "pine_tree", "willow_tree"),
    "flowers": ("orchid", "poppy", "rose", "sunflower", "tulip"),
    "food_containers": ("bottle", "bowl", "can", "cup", "plate"),
    "fruit_and_vegetables": ("apple", "mushroom", "orange", "pear", "sweet_pepper"),
    "household_electrical_devices": ("clock", "keyboard", "lamp", "telephone", "television"),
    "household_furniture": ("bed", "chair", "couch", "table", "wardrobe"),
    "large_carnivores": ("bear", "leopard", "lion", "tiger", "wolf"),
    "invertebrates": ("bee", "beetle", "butterfly", "caterpillar", "worm"),
    "hard_shelled_animals": ("crab", "lobster", "snail", "turtle", "cockroach"),
    "small_aquatic_animals": ("aquarium_fish", "flatfish", "ray", "trout", "otter"),
    "large_aquatic_animals": ("beaver", "dolphin", "seal", "crocodile", "shark"),
    "outdoor_scenes_2": ("cloud", "sea", "bridge", "road", "skyscraper"),
    "outdoor_scenes_1": ("forest", "mountain", "plain", "castle", "house"),
    "large_animals": ("camel", "cattle", "elephant", "whale", "dinosaur"),
    "small_mammals": ("shrew", "squirrel", "mouse", "baby", "raccoon"),
    "medium_sized_mammals": ("fox", "porcupine", "possum", "skunk", "kangaroo"),
    "pets": ("hamster", "rabbit", "lizard", "snake", "spider"),
    "primates": ("chimpanzee", "boy", "girl", "man", "woman"),
    "personal_vehicles": ("bicycle", "motorcycle", "lawn_mower", "pickup_truck", "streetcar"),
    "transit_vehicles": ("bus", "train", "rocket", "tank", "tractor"),
}
"""Taxonomy T2 of CIFAR-100: 20 coarse classes, each with the names of its 5 fine classes (Table I1 of the paper)."""


def with_taxonomy(data: ImageData, taxonomy: Mapping[str, Sequence[str]]) -> ImageData:
    """The same images and fine classes, grouped into other coarse classes.

    Parameters
    ----------
    data
        Images with fine classes.
    taxonomy
        Coarse class: names of its fine classes. Every fine class of `data` stands in exactly one; names that `data`
        does not have are passed over, and so are coarse classes without any fine class in `data`.
        :data:`T2` is the paper's alternative for CIFAR-100.

    Returns
    -------
    A new object; images and fine labels are shared with `data`.

    Raises
    ------
    ValueError
        If a fine class stands in no coarse class, or in two.

    Examples
    --------
    Every other image under one taxonomy and the rest under another, as the paper trains on several data sets (section 4.2):

    >>> import numpy as np
    >>> from falcon_sc.vision.datasets import ImageData, with_taxonomy
    >>> images, fine = np.zeros((4, 32, 32, 3), np.uint8), np.array([0, 1, 2, 2])
    >>> train = ImageData(images, fine, np.array([0, 0, 1, 1]), ("cat", "dog", "car"), ("animal", "vehicle"))
    >>> other = with_taxonomy(train, {"large": ["car", "dog"], "small": ["cat"]})
    >>> half = np.arange(len(train)) % 2
    >>> np.where(half == 0, train.coarse, other.coarse)
    array([0, 0, 1, 0])
    """
    parent: dict[str, str] = {}
    for coarse_name, children in taxonomy.items():
        for name in children:
            if name in parent:
                msg = f"taxonomy has {name!r} in {parent[name]!r} and in {coarse_name!r}: keep it in one of them."
                raise ValueError(msg)
            parent[name] = coarse_name
    if missing := [name for name in data.fine_names if name not in parent]:
        msg = f"taxonomy lacks the fine classes {listed(missing)}: put each of them into one coarse class."
        raise ValueError(msg)
    used = {parent[name] for name in data.fine_names}
    coarse_names = tuple(name for name in taxonomy if name in used)
    coarse_of_fine = np.array([coarse_names.index(parent[name]) for name in data.fine_names], np.int64)
    return replace(data, coarse=coarse_of_fine[data.fine], coarse_names=coarse_names)
