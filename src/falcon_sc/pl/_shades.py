"""Shades of one color that stay apart, also for those who do not tell red from green.

Hue is what color-blind people do not see, lightness is what everybody sees. So the shades of a color are equal steps of
lightness in OKLab (Ottosson 2020), a space in which equal distances look equal: 0.02 is about what can just be told apart.
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
_STEP = 0.08  # of lightness between two shades, where there is room
_DARKEST, _PALEST = 0.30, 0.93  # lightness that is neither black nor white
_HALVINGS = 20


def shades(color: str, n: int) -> list[str]:
    """Shades of a color for the fine classes of a coarse class, from dark to light, around the color itself.

    Of 12 shades any two are 0.05 apart in OKLab, and 0.03 as a color-blind person sees them.
    """
    from matplotlib.colors import to_hex, to_rgb

    if n == 1:
        return [color]
    own, a, b = oklab(to_rgb(color))
    width = min(_STEP * (n - 1), _PALEST - _DARKEST)
    darkest = float(np.clip(own - width / 2, _DARKEST, _PALEST - width))
    return [to_hex(_in_gamut(lightness, a, b)) for lightness in np.linspace(darkest, darkest + width, n)]


def oklab(rgb: ArrayLike) -> NDArray[Any]:
    """OKLab of sRGB colors, (..., 3)."""
    lab: NDArray[Any] = np.cbrt(linear(rgb) @ _TO_CONES.T) @ _TO_LAB.T
    return lab


def linear(rgb: ArrayLike) -> NDArray[Any]:
    """The light of sRGB colors, in [0, 1]."""
    rgb = np.asarray(rgb, dtype=np.float64)
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def _in_gamut(lightness: float, a: float, b: float) -> tuple[float, float, float]:
    """The most colorful sRGB color of this lightness and hue that is no more colorful than (a, b)."""
    least, most = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (least + most) / 2
        inside = np.abs(_light_of((lightness, a * middle, b * middle)) - 0.5).max() <= 0.5
        least, most = (middle, most) if inside else (least, middle)
    light = np.clip(_light_of((lightness, a * least, b * least)), 0, 1)
    red, green, blue = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055).tolist()
    return red, green, blue


def _light_of(lab: ArrayLike) -> NDArray[Any]:
    light: NDArray[Any] = np.linalg.solve(_TO_CONES, np.linalg.solve(_TO_LAB, np.asarray(lab)) ** 3)
    return light
