"""Other coarse labels for the same images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from falcon_sc.vision.datasets import T2, cifar68, cifar100, with_taxonomy

if TYPE_CHECKING:
    from pathlib import Path


def test_t2_of_cifar100(archive: Path) -> None:
    t1 = cifar100(archive)
    t2 = with_taxonomy(t1, T2)
    assert t2.images is t1.images
    assert np.array_equal(t2.fine, t1.fine)
    assert t2.coarse_names == tuple(T2)
    assert t2.relation.sum(axis=0).tolist() == [5] * 20
    assert t2.relation.sum() == 100
    # Appendix I: these seven keep their fine classes
    shared = {"trees", "flowers", "food_containers", "fruit_and_vegetables", "large_carnivores"}
    shared |= {"household_electrical_devices", "household_furniture"}
    same = {
        name
        for name, column in zip(t2.coarse_names, t2.relation.T, strict=True)
        if any(np.array_equal(column, other) for other in t1.relation.T)
    }
    assert same == shared
    image = int(np.flatnonzero(t2.fine == t2.fine_names.index("streetcar"))[0])
    assert t2.coarse_names[t2.coarse[image]] == "personal_vehicles"


def test_coarse_classes_without_images_are_left_out(archive: Path) -> None:
    fish = cifar68(archive).without(name for name in cifar68(archive).fine_names if name not in {"trout", "shark"})
    grouped = with_taxonomy(fish, T2)
    assert grouped.coarse_names == ("small_aquatic_animals", "large_aquatic_animals")
    assert grouped.relation.tolist() == [[0, 1], [1, 0]]  # shark, trout


@pytest.mark.parametrize(
    ("taxonomy", "message"),
    [
        ({"all": ["trout"]}, r"lacks the fine classes 'shark': put each"),
        ({"a": ["trout", "shark"], "b": ["trout"]}, r"has 'trout' in 'a' and in 'b'"),
    ],
)
def test_refused(archive: Path, taxonomy: dict[str, list[str]], message: str) -> None:
    data = cifar100(archive)
    fish = data.without(set(data.fine_names) - {"trout", "shark"})
    with pytest.raises(ValueError, match=message):
        with_taxonomy(fish, taxonomy)
