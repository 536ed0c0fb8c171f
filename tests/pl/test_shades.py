"""Shades stay apart, whoever looks at them. The floors are what was measured, rounded down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_hex, to_rgb

from falcon_sc.pl._shades import linear, oklab, shades

if TYPE_CHECKING:
    from collections.abc import Sequence

TEN = [to_hex(color) for color in colormaps["tab10"].colors]

# Machado, Oliveira and Fernandes (2009), severity 1.0: what light becomes for those who lack one kind of cones
EYES = {
    "all cones": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def nearest(colors: Sequence[str], eye: str) -> float:
    """The smallest distance of two of the colors in OKLab, as an eye sees them."""
    light = np.clip(linear([to_rgb(color) for color in colors]) @ np.array(EYES[eye]).T, 0, 1)
    seen = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    lab = oklab(seen)
    distance = np.linalg.norm(lab[:, None] - lab[None], axis=2)
    return distance[np.triu_indices(len(lab), 1)].min()


def test_oklab_of_known_colors() -> None:
    """White, and red as published by Ottosson."""
    np.testing.assert_allclose(oklab((1, 1, 1)), (1, 0, 0), atol=1e-6)
    np.testing.assert_allclose(oklab((1, 0, 0)), (0.62796, 0.22486, 0.12585), atol=1e-4)


@pytest.mark.parametrize(("eye", "floor"), list(zip(EYES, (0.05, 0.04, 0.05, 0.03), strict=True)))
@pytest.mark.parametrize("color", [*TEN, "#000000", "#ffffff", "#ffff00", "#0000ff"])
def test_twelve_of_one_parent(color: str, eye: str, floor: float) -> None:
    floor = 0.03 if color in ("#ffff00", "#0000ff") else floor  # at the edge of what a screen can show
    assert nearest(shades(color, 12), eye) >= floor
    assert nearest(shades(color, 5), eye) >= floor


@pytest.mark.parametrize("sizes", [[12, 7, 6, 5, 4, 3, 2, 1], [1, 2, 3, 4, 5, 6, 7, 12], [12, *[3] * 9, 1]])
def test_forty_classes(sizes: list[int]) -> None:
    """All pairs, of all parents, with all cones; parents alone collide for eyes without red cones (0.007)."""
    colors = [shade for color, n in zip(TEN, sizes, strict=False) for shade in shades(color, n)]
    assert len(set(colors)) == len(colors) >= 39
    assert nearest(colors, "all cones") >= 0.045


def test_from_dark_to_light_around_the_color() -> None:
    assert shades("#1f77b4", 1) == ["#1f77b4"]
    for n in (2, 3, 12):
        lightness = oklab([to_rgb(color) for color in shades("#1f77b4", n)])[:, 0]
        assert (np.diff(lightness) > 0).all()
    assert lightness.min() > 0.25
    assert lightness.max() < 0.95
    own = oklab(to_rgb("#1f77b4"))
    for lab in oklab([to_rgb(color) for color in shades("#1f77b4", 5)]):  # of one hue
        np.testing.assert_allclose(np.arctan2(lab[2], lab[1]), np.arctan2(own[2], own[1]), atol=0.05)
