"""Code that the documentation shows, run as a user would run it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import scanpy as sc

if TYPE_CHECKING:
    from collections.abc import Iterable


def run(pieces: Iterable[str], name: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
    """The variables that these pieces of code leave behind, one run after the other, without a window."""
    variables = {} if variables is None else variables
    shows = sc.settings.autoshow
    with mpl.rc_context():
        sc.settings.autoshow = False
        plt.switch_backend("agg")
        try:
            for piece in pieces:
                exec(compile(piece, name, "exec"), variables)
        finally:
            sc.settings.autoshow = shows
            plt.close("all")
    return variables
