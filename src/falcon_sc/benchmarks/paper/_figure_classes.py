"""The classes that a figure is about: which level of the data a model was told, and which of its classes are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from falcon_sc._checks import listed
from falcon_sc.benchmarks._asked import whole_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from falcon_sc.core.model import Falcon

FIGURES = ("2", "3", "4", "F1", "K1", "L1")
_OF_SUBCLASSES = ("4", "L1")
# those of the captions, which all data but Living17 lack
_IN_THE_PAPER = {"2": ("spider", "grouse"), "3": ("salamander", "bear"), "4": ("eft", "ptarmigan")}
_N_SHOWN = 2
_N_SHOWN_IN_L1 = 3


class LeftOutError(Exception):
    """Why a figure is not drawn from this model and these data."""


@dataclass(frozen=True)
class Told:
    """What a model was told of the data: the classes of one level, and which fine classes it found in each.

    Parameters
    ----------
    level
        "coarse", or "fine" for a model that found subclasses of the fine classes.
    names
        Names of these classes, in the order of the columns of `relation`.
    relation
        M, (K_F, K).
    """

    level: Literal["coarse", "fine"]
    names: tuple[str, ...]
    relation: NDArray[np.uint8]

    @classmethod
    def by(cls, model: Falcon, coarse_names: Sequence[str], fine_names: Sequence[str]) -> Told:
        """Recognize the classes of a model in those of the data, by name or by all of their numbers.

        Of a model of several data sets, the first whose classes are those of one level is taken.

        Raises
        ------
        ValueError
            If its classes are of neither level.
        """
        for dataset, relation in model.relations_.items():
            labels = model.coarse_names_[model.coarse_dataset_ == dataset].tolist()
            levels: tuple[tuple[Literal["coarse", "fine"], Sequence[str]], ...]
            levels = (("coarse", coarse_names), ("fine", fine_names))
            for level, names in levels:
                if set(labels) <= set(names):
                    return cls(level, tuple(labels), relation)
                if labels == list(range(len(names))):
                    return cls(level, tuple(names), relation)
        msg = (
            f"model was told the classes {listed(model.coarse_names_)}. They are neither the coarse classes of the data "
            f"({listed(coarse_names)}) nor its fine ones ({listed(fine_names)}), nor all of their numbers from 0 on: give "
            "the data that it was fitted on."
        )
        raise ValueError(msg)

    def parents(self) -> NDArray[np.int64]:
        """Position in `names` of each fine class, (K_F,)."""
        return self.relation.argmax(axis=1).astype(np.int64)

    def fine_names(self) -> list[str]:
        """``"<class>:<i>"``, (K_F,), as :func:`falcon_sc.tl.discover` calls them."""
        from falcon_sc.core.data.naming import fine_names

        names = np.array(self.names, dtype=object)
        return fine_names(self.relation, names, np.zeros(names.size))

    def divided(self, labels: NDArray[np.int64]) -> list[str]:
        """Classes with at least two fine classes that have samples; `labels` is the fine class of each, (N,)."""
        found = np.bincount(self.parents()[np.unique(labels)], minlength=len(self.names))
        return [name for name, n in zip(self.names, found, strict=True) if n > 1]


def check_level(figure: str, told: Told) -> None:
    """A model that was told the coarse classes shows other figures than one that was told the fine ones."""
    if figure in _OF_SUBCLASSES and told.level == "coarse":
        msg = (
            "it shows subclasses of the fine classes, and this model was told the coarse ones; fit one with the fine "
            "classes of the data as its coarse ones, and a larger n_fine"
        )
        raise LeftOutError(msg)
    if figure not in _OF_SUBCLASSES and told.level == "fine":
        msg = "it shows fine classes inside coarse ones, and this model was told the fine ones"
        raise LeftOutError(msg)


def check_asked(asked: Sequence[str], told: Told) -> list[str]:
    """Names of classes as the data have them, whatever their capitals.

    Raises
    ------
    ValueError
        If there is no such class.
    """
    names = whole_names(asked, told.names)
    if unknown := [name for name in names if name not in told.names]:
        msg = f"classes holds {listed(unknown)}, and the model was told {listed(told.names)}."
        raise ValueError(msg)
    return list(names)


def shown(figure: str, told: Told, labels: NDArray[np.int64], asked: Sequence[str]) -> list[str]:
    """Which classes a figure shows: K1 all, the others those asked for, those of the paper, or the first that are divided.

    Raises
    ------
    LeftOutError
        If there is nothing in them to show.
    """
    if figure == "L1":
        chosen = [name for name in told.divided(labels) if name not in shown("4", told, labels, asked)]
        chosen, why = chosen[:_N_SHOWN_IN_L1], "no class but those of figure 4 has two subclasses with samples"
    elif figure == "K1" or asked:
        wanted = told.names if figure == "K1" else asked[:_N_SHOWN] if figure == "2" else asked
        chosen = [name for name in wanted if told.relation[:, told.names.index(name)].any()]
        why = "the classes asked for have no fine class in the relations that were learned"
    else:
        of_the_paper = [name for name in _IN_THE_PAPER[figure] if name in told.names]
        chosen = of_the_paper if len(of_the_paper) == _N_SHOWN else told.divided(labels)[:_N_SHOWN]
        why = "the model divides no class: none has two fine classes with samples"
    if not chosen:
        raise LeftOutError(why)
    return chosen


def mostly(fine: NDArray[np.int64], fine_names: Sequence[str]) -> str:
    """The true class of most of these samples, and their share."""
    if not fine.size:
        return "no image"
    counts = np.bincount(fine)
    return f"{fine_names[int(counts.argmax())]} {100 * counts.max() / fine.size:.0f} %"


def of_one_class(rows: Sequence[NDArray[Any]], fine: NDArray[np.int64]) -> tuple[int, int]:
    """How many of these groups of samples are of one true class, and how many groups have samples at all."""
    groups = [fine[own] for own in rows if own.size]
    return sum(np.unique(group).size == 1 for group in groups), len(groups)
