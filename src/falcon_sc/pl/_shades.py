"""Shades of the colors of coarse classes, for their fine classes, that anybody can tell apart.

Hue is what color-blind people do not see, so shades of different hues may be one color to them. Here every shade keeps clear
of all those of all coarse classes, to the eye for which they are nearest. It may have the hue of its coarse class, or one
beside it that is not nearer to another's, in any lightness.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from falcon_sc.pl._color_vision import on_screen, seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_DARKEST, _PALEST = 0.30, 0.93  # lightness that is neither black nor white
_TINTED, _GRAY = 0.05, 0.03  # chroma that shows a hue, and that shows none
_BAND = 22.5  # degrees of hue, on either side, that are still one family
_LEAST_BAND = 11.5  # however near the next color is
_LIGHTNESS = 0.3  # how much of a difference in lightness counts between shades of one family
_CLEAR = 0.07  # of all others: of such shades, the one most like the color of the coarse class is taken
_ENOUGH = 0.045  # for the color of the coarse class itself
_MISSING = "#d3d3d3"  # of cells without a class, in scanpy's plots


class _Colors(NamedTuple):
    """What may be taken: hexadecimal names, chroma, hue in degrees; as four eyes see it, (4, 3, n)."""

    names: NDArray[Any]
    chroma: NDArray[Any]
    hue: NDArray[Any]
    seen: NDArray[Any]


class _Family(NamedTuple):
    """Shades of a color: their positions, and how unlike the color they are."""

    members: NDArray[np.intp]
    unlike: NDArray[Any]


def shades(parents: Sequence[str], sizes: Sequence[int]) -> list[list[str]]:
    """Shades of the color of each coarse class, as many as it has fine classes.

    The first is the color itself, unless that is too near to another. All coarse classes take their first shade, then all
    their second and so on, so that one that gets more fine classes changes few colors of the others, or none.

    The two that are nearest, be they of one coarse class or of two, are in OKLab, to each of the four eyes, at least 0.045
    apart of 20 shades of up to 20 of scanpy's colors, 0.038 of 30, and 0.033 of 40 with twelve in one coarse class; 0.02 can
    just be told apart.
    """
    colors = _screen_colors()
    families = [_family(colors, parent, parents) for parent in parents]
    taken: list[list[str]] = [[] for _ in parents]
    looks = [_look(_MISSING)]
    room = _distance(colors.seen, looks[0])
    for turn in range(max(sizes, default=0)):
        for parent, size, family, own in zip(parents, sizes, families, taken, strict=True):
            if turn >= size:
                continue
            if turn == 0 and _distance(np.concatenate(looks, axis=-1), _look(parent)).min() >= _ENOUGH:
                own.append(parent)
            else:
                own.append(str(colors.names[_next(family, room)]))
            looks.append(_look(own[-1]))
            room = np.minimum(room, _distance(colors.seen, looks[-1]))
    return taken


def _next(family: _Family, room: NDArray[Any]) -> int:
    """Position of the shade that is most like the color and keeps clear; where none does, of the one with most room."""
    room = room[family.members]
    clear = room >= _CLEAR
    best = np.where(clear, family.unlike, np.inf).argmin() if clear.any() else room.argmax()
    return int(family.members[best])


def _family(colors: _Colors, parent: str, parents: Sequence[str]) -> _Family:
    """Shades of the hue of a color and of hues beside it, nearer to it than to another color; or gray ones where it is gray."""
    own = _look(parent)[0]
    chroma, hue = _chroma_and_hue(parent)
    if chroma < _TINTED:
        members = np.flatnonzero(colors.chroma <= _GRAY)
    else:
        others = [_turn(other, hue) for strength, other in map(_chroma_and_hue, parents) if strength >= _TINTED]
        band = min(_BAND, max(_LEAST_BAND, min((far for far in others if far > 1), default=180) / 2))
        members = np.flatnonzero((_turn(colors.hue, hue) <= band) & (colors.chroma >= _TINTED))
    differences = (colors.seen[0][:, members] - own) * [[_LIGHTNESS], [1], [1]]
    return _Family(members, np.linalg.norm(differences, axis=0))


def _chroma_and_hue(color: str) -> tuple[float, float]:
    _, a, b = _look(color)[0, :, 0]
    return float(np.hypot(a, b)), float(np.rad2deg(np.arctan2(b, a)))


def _turn(hues: Any, hue: float) -> Any:
    """How far hues are from one, in degrees."""
    return np.abs((hues - hue + 180) % 360 - 180)


def _look(color: str) -> NDArray[Any]:
    """A color as four eyes see it, (4, 3, 1)."""
    from matplotlib.colors import to_rgb

    return seen([to_rgb(color)])


def _distance(looks: NDArray[Any], look: NDArray[Any]) -> NDArray[Any]:
    """How far colors, (4, 3, n), are from one, (4, 3, 1), for the eye to which they are nearest: (n,)."""
    far: NDArray[Any] = np.sqrt(((looks - look) ** 2).sum(axis=1).min(axis=0))
    return far


@cache
def _screen_colors() -> _Colors:
    """A grid in OKLab, of which a screen shows some 6,600 colors."""
    grid = np.meshgrid(
        np.linspace(_DARKEST, _PALEST, 22), np.arange(0, 0.31, 0.025), np.arange(0, 360, 7.5), indexing="ij"
    )
    lightness, chroma, hue = (axis.ravel() for axis in grid)
    angle = np.deg2rad(hue)
    rgb, shown = on_screen(np.stack([lightness, chroma * np.cos(angle), chroma * np.sin(angle)], axis=1))
    steps = np.round(rgb[shown] * 255).astype(np.int64)
    names = np.array([f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in steps.tolist()])
    return _Colors(names, chroma[shown], hue[shown], seen(steps / 255))
