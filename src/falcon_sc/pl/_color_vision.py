"""Colors as different eyes see them, and how far apart they are.

Distances are those of OKLab (Ottosson 2020), a space in which equal distances look equal, hue by hue: 0.02 is about what
can just be told apart. What those see who lack one kind of cones is simulated after Machado et al. (2009).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_EYES = np.array(
    [
        np.eye(3),
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],  # no red
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],  # no green
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],  # no blue
    ]
)  # of light, for those who lack one kind of cones altogether


def linear(rgb: ArrayLike) -> NDArray[Any]:
    """The light of sRGB colors, in [0, 1]."""
    rgb = np.asarray(rgb, dtype=np.float64)
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def seen(rgb: ArrayLike) -> NDArray[Any]:
    """OKLab of sRGB colors, (n, 3), as four kinds of eyes see them, (4, 3, n): with all cones, and without one kind each.

    Lightness, then from green to red and from blue to yellow.
    """
    light = np.clip(linear(rgb) @ _EYES.transpose(0, 2, 1), 0, 1)
    lab: NDArray[Any] = np.cbrt(light @ _TO_CONES.T) @ _TO_LAB.T
    return lab.transpose(0, 2, 1).copy()


def on_screen(lab: ArrayLike) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Colors of OKLab on a screen, sRGB, (..., 3), and whether it can show them, (...)."""
    light = np.linalg.solve(_TO_CONES, np.linalg.solve(_TO_LAB, np.asarray(lab).T) ** 3).T
    shown = (np.abs(light - 0.5) <= 0.5).all(axis=-1)
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055), shown
