"""Names from the data as a picture can show them: on one line, not endless, in letters that there are."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")  # new lines, tabs and their like
_BEGIN, _END = 39, 20  # letters that are shown of a longer name; the end often tells names apart
_NO_LETTER = "\N{WHITE SQUARE}"
_HERE = str(Path(__file__).parents[1])  # warnings name the line of the user that led here


class MissingLettersWarning(UserWarning):
    """The fonts of matplotlib lack letters of a name."""


def shown(names: Iterable[object]) -> list[str]:
    """Each name as it is drawn. A warning says once what letters the fonts lack, where matplotlib has one for each."""
    drawn = [_shortened(_BREAKS.sub(" ", str(name))) for name in names]
    letters = {letter for name in drawn if not name.isascii() for letter in name if not letter.isascii()}
    missing = _missing(letters) if letters else {}
    if missing:
        named = "".join(sorted(map(chr, missing))[:20]) + "…" * (len(missing) > 20)
        msg = (
            f"the font of matplotlib lacks letters of the names ({named}), which are drawn as {_NO_LETTER}: "
            "put an installed one that has them into matplotlib.rcParams['font.family'], a list that is tried in its order."
        )
        warnings.warn(msg, MissingLettersWarning, skip_file_prefixes=(_HERE,))
    return [name.translate(missing) for name in drawn]


def _shortened(name: str) -> str:
    return name if len(name) <= _BEGIN + 1 + _END else f"{name[:_BEGIN]}…{name[-_END:]}"


def _missing(letters: Iterable[str]) -> dict[int, str]:
    """Those that no font of rcParams has, as :meth:`str.translate` takes them."""
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties, findfont, get_font

    fonts = []
    for family in rcParams["font.family"]:
        try:
            fonts.append(get_font(findfont(FontProperties(family=[family]), fallback_to_default=False)))
        except ValueError:  # it is not installed
            continue
    fonts = fonts or [get_font(findfont(FontProperties()))]
    return {
        ord(letter): _NO_LETTER for letter in letters if not any(font.get_char_index(ord(letter)) for font in fonts)
    }
