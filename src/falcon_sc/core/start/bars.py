"""Bars that never end the work whose progress they show."""

from __future__ import annotations

import sys
from typing import Any

from tqdm.auto import tqdm


class Bar(tqdm):  # type: ignore[type-arg]
    """A bar of tqdm, of a notebook or a console; hidden where there is no standard error, or nobody reads it any more.

    Python has no standard error where a program is started without a console, and writing to the closed pipe of
    ``2>&1 | head`` is an error.

    Parameters
    ----------
    shown
        Whether there is a bar at all.
    about
        Keywords of tqdm.
    """

    def __init__(self, *, shown: bool, **about: Any) -> None:
        super().__init__(disable=not shown or sys.stderr is None, **about)

    def display(self, *args: Any, **keywords: Any) -> Any:
        """Draw it, if it can be drawn."""
        try:
            return super().display(*args, **keywords)
        except OSError:
            self.disable = True
            return None

    def close(self) -> None:
        """Draw it for the last time, and end its line."""
        try:
            super().close()
        except OSError:
            self.disable = True
