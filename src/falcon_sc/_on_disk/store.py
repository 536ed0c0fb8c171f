"""Where a matrix on disk lies, whether it is still as it was, and how to name a part of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Store:
    """A matrix on disk.

    Parameters
    ----------
    name
        What it is in the object, such as "adata.X".
    path
        The file, or the folder of a zarr store; None where that is not known.
    """

    name: str
    path: Path | None
    _stamp: tuple[int, int, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_stamp", self._look())

    def __str__(self) -> str:
        return self.name if self.path is None else f"{self.name} in {str(self.path)!r}"

    def rows(self, begin: int, end: int) -> str:
        """What to call some rows."""
        return f"rows {begin} to {end - 1} of {self}"

    def check_unchanged(self) -> None:
        """Refuse what was written to since this was made: rows read before and after would not belong together."""
        if self._look() != self._stamp:
            msg = f"{self} was changed while it was read: nothing was written to adata. Run this again once it is complete."
            raise ValueError(msg)

    def _look(self) -> tuple[int, int, int]:
        """Files, bytes and the latest time of writing."""
        if self.path is None:
            return 0, 0, 0
        found = sorted(self.path.rglob("*")) if self.path.is_dir() else [self.path]
        states = [file.stat() for file in found if file.is_file()]
        return len(states), sum(state.st_size for state in states), max((s.st_mtime_ns for s in states), default=0)
