"""What a person types for a coarse class: the name that plots, tables and the column of coarse labels show now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from falcon_sc._checks import listed
from falcon_sc.core.data.labels import match
from falcon_sc.pl._classes import coarse_names_now, read_about

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anndata import AnnData


@dataclass(frozen=True)
class CoarseNames:
    """Names of the coarse classes of a result, both K_C: as they are now, and as they were in the run."""

    now: tuple[str, ...]
    in_the_run: tuple[str, ...]

    @classmethod
    def of(cls, adata: AnnData, key: str) -> CoarseNames:
        """Of the result under a key."""
        names = tuple(str(name) for name in read_about(adata, key)["coarse_names"])
        return cls(coarse_names_now(adata, key), names)

    def columns(self, given: Iterable[Any], argument: str) -> list[int]:
        """Column of M of each class that is given by its name, else by the one of the run; -1 for what is none.

        Raises
        ------
        ValueError
            If two classes are called so now.
        """
        given = list(given)
        now, before = match(given, self.now), match(given, self.in_the_run)
        for name, place in zip(given, now, strict=True):
            if place >= 0 and self.now.count(self.now[place]) > 1:
                same = [own for own, other in zip(self.in_the_run, self.now, strict=True) if other == self.now[place]]
                msg = (
                    f"{argument}: {str(name)!r} is what several coarse classes are called now, in the run {listed(same)}: give "
                    "that name, if no class has it now, or give their cells different names in the column of coarse labels first."
                )
                raise ValueError(msg)
        return [place if place >= 0 else former for place, former in zip(now, before, strict=True)]
