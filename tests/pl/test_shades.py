"""Shades stay apart, whoever looks at them. The floors are what was measured, rounded down."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from falcon_sc.pl._color_vision import linear, seen
from falcon_sc.pl._shades import shades
from falcon_sc.pl._style import palette

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

# Machado, Oliveira and Fernandes (2009), severity 1.0: what light becomes for those who lack one kind of cones
EYES = {
    "all cones": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def oklab(colors: ArrayLike) -> np.ndarray:
    """As those with all cones see them, (n, 3)."""
    return seen(colors)[0].T


def nearest(colors: Sequence[str], eye: str) -> float:
    """The smallest distance of two of the colors in OKLab, as an eye sees them."""
    light = np.clip(linear([to_rgb(color) for color in colors]) @ np.array(EYES[eye]).T, 0, 1)
    colors_seen = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    lab = oklab(colors_seen)
    distance = np.linalg.norm(lab[:, None] - lab[None], axis=2)
    return distance[np.triu_indices(len(lab), 1)].min()


def sizes_of(n_parents: int, n: int, first: int = 0) -> list[int]:
    """Numbers of fine classes, as equal as may be, or `first` in the first coarse class."""
    if first:
        return [first, *sizes_of(n_parents - 1, n - first)]
    return [n // n_parents + (place < n % n_parents) for place in range(n_parents)]


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize(
    ("n", "first", "n_parents", "floor"),
    [
        (10, 0, (2, 3, 5), 0.07),
        (20, 0, (2, 5), 0.06),
        (20, 0, (2, 5, 8, 10, 15, 20), 0.045),
        (30, 0, (2, 5, 10, 15, 20), 0.038),
        (40, 0, (2, 5, 10, 15, 20, 40), 0.036),
        (40, 0, (27,), 0.029),
        (40, 12, (2, 3, 5, 8, 10, 15, 27), 0.033),
        (12, 0, (1,), 0.055),
    ],
)
def test_any_two_are_apart(n: int, first: int, n_parents: tuple[int, ...], floor: float, eye: str) -> None:
    """Of one coarse class or of two, in the colors that scanpy gives: red and green among them are 0.007 without red cones."""
    for n_coarse in n_parents:
        colors = list(chain(*shades(palette(n_coarse), sizes_of(n_coarse, n, first))))
        assert len(colors) == n
        assert nearest([*colors, "#d3d3d3"], eye) >= floor, n_coarse


@pytest.mark.parametrize(
    ("parents", "floor"),
    [
        (["#000000"], 0.035), (["#ffffff"], 0.035), (["#7f7f7f"], 0.035), (["#ffff00"], 0.05), (["#0000ff"], 0.05),
        (["#ff0000"] * 5, 0.03), (["#000000"] * 3, 0.02), (["#ff0000", "#00ff00", "#0000ff"], 0.045),
    ],
)  # fmt: skip
def test_colors_of_the_user(parents: list[str], floor: float) -> None:
    """Whatever they are, and be it the same for all."""
    colors = list(chain(*shades(parents, sizes_of(len(parents), 12))))
    assert min(nearest(colors, eye) for eye in EYES) >= floor


def test_a_family() -> None:
    parents = palette(10)
    for parent, own in zip(parents, shades(parents, sizes_of(10, 40, 12)), strict=True):
        lab = oklab([to_rgb(color) for color in [parent, *own]])
        chroma, hue = np.hypot(lab[:, 1], lab[:, 2]), np.rad2deg(np.arctan2(lab[:, 2], lab[:, 1]))
        if chroma[0] < 0.05:
            assert (chroma < 0.04).all()
        else:
            assert (np.abs((hue - hue[0] + 180) % 360 - 180) < 26).all()  # 22.5, and the steps of a screen
            assert (chroma > 0.045).all()
        assert (lab[1:, 0] > 0.28).all()  # seen on black
        assert (lab[1:, 0] < 0.95).all()  # and on white


def test_shades_are_not_nearer_in_hue_to_another_coarse_class() -> None:
    parents = palette(5)

    def hue(color: str) -> float:
        _, a, b = oklab([to_rgb(color)])[0]
        return np.rad2deg(np.arctan2(b, a))

    for place, own in enumerate(shades(parents, [6] * 5)):
        for color in own:
            apart = [abs((hue(color) - hue(parent) + 180) % 360 - 180) for parent in parents]
            assert apart[place] <= min(apart) + 3  # the steps of a screen


def test_one_fine_class_has_the_color_of_its_coarse_class() -> None:
    assert shades(["#1f77b4", "#ff7f0e"], [1, 2])[0] == ["#1f77b4"]
    assert shades([], []) == []
    assert shades(["#1f77b4"], [0]) == [[]]


def test_more_fine_classes_of_one_coarse_class_leave_the_colors_of_the_others() -> None:
    before, after = (shades(palette(4), [3, n, 2, 3]) for n in (3, 6))
    assert after[0] == before[0]
    assert after[1][:3] == before[1]
    assert after[2:] == before[2:]
