"""The models that follow a decision about their classes: the one that was given, and the one that `discover` saved."""

from __future__ import annotations

import json
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from falcon_sc._checks import check_writable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from falcon_sc.core.model import Falcon
    from falcon_sc.core.state.decisions import Decision
    from falcon_sc.core.state.refinement import Refinement

logger = logging.getLogger(__name__)

_HERE = str(Path(__file__).parents[1])  # warnings name the line of the user that led here


class Follower(Protocol):
    """A model that knows the decisions so far, or can be told them."""

    def feature_names(self) -> list[str] | None:
        """What the network reads, None for the dimensions of an embedding."""

    def follow(self, decisions: tuple[Decision, ...], refined: tuple[int, Refinement] | None = None) -> None:
        """Take over all these; `refined`: other outputs that the last one brings, and the coarse class they are for."""


def followers(
    params: Mapping[str, Any],
    decisions: tuple[Decision, ...],
    model: Falcon | str | Path | None,
    *,
    needed: bool = False,
) -> list[Follower]:
    """The model that was given, which must fit, and the one that `discover` saved, if it is still there.

    `decisions`: of which a model may know the first ones, and no other.

    `needed`: without the saved one another must be given, for it could not be brought up to date later.
    """
    found: list[Follower] = []
    given = None
    if isinstance(model, str | Path):
        given = check_writable(model, "model", folder=True)
        found.append(_in_folder(f"model={str(model)!r}", given, params, decisions))
    elif model is not None:
        found.append(_in_memory(model, params, decisions))
    saved = params.get("saved_model")
    if saved is not None and (given is None or given.resolve() != Path(saved)):
        try:
            found.append(_in_folder(repr(saved), Path(saved), params, decisions))
        except (OSError, ValueError) as error:
            if needed and model is None:
                msg = (
                    f"the model that was saved with this result is needed, and cannot be taken: {error} Give model=..., if "
                    "you have it; to go on without a model, delete the entry 'saved_model' of params in adata.uns."
                )
                raise ValueError(msg) from error
            msg = f"the model that was saved with this result keeps the classes it has: {error} Give model=..., if you have it."
            warnings.warn(msg, UserWarning, skip_file_prefixes=(_HERE,))
    return found


def _check(
    where: str,
    known: tuple[Decision, ...],
    model_id: object,
    params: Mapping[str, Any],
    decisions: tuple[Decision, ...],
) -> None:
    """A model can be told the decisions that it has not heard of."""
    if model_id != params.get("model_id"):
        msg = f"{where} is another model than the one that these classes are from."
        raise ValueError(msg)
    if known != decisions[: len(known)]:
        msg = f"{where} has other decisions about its classes than adata, which cannot be undone."
        raise ValueError(msg)
    if any(decision.kind == "refine" for decision in decisions[len(known) :]):
        msg = f"{where} lacks classes that falcon_sc.tl.refine found since, and cannot be given them afterwards."
        raise ValueError(msg)


@dataclass(frozen=True)
class _InMemory:
    model: Falcon

    def feature_names(self) -> list[str] | None:
        names = self.model.feature_names_in_
        return None if names is None else list(map(str, names))

    def follow(self, decisions: tuple[Decision, ...], refined: tuple[int, Refinement] | None = None) -> None:
        lacks = decisions[len(self.model.decisions_) :]
        if refined is None:
            self.model.decide(lacks)
        else:
            self.model.refine(*refined, lacks)


def _in_memory(model: Falcon, params: Mapping[str, Any], decisions: tuple[Decision, ...]) -> _InMemory:
    from falcon_sc.core.model import Falcon

    if not isinstance(model, Falcon) or not hasattr(model, "relation_"):
        msg = f"model must be a fitted falcon_sc.Falcon or the folder of one, found {type(model).__name__}."
        raise TypeError(msg)
    _check("model", model.decisions_, model.metadata.get("model_id"), params, decisions)
    return _InMemory(model)


@dataclass(frozen=True)
class _InFolder:
    where: str
    folder: Path

    def feature_names(self) -> list[str] | None:
        from falcon_sc.core.state.persistence import describe

        names: list[str] | None = describe(self.folder)["feature_names"]
        return names

    def follow(self, decisions: tuple[Decision, ...], refined: tuple[int, Refinement] | None = None) -> None:
        from falcon_sc.core.state.persistence import write_decisions, write_refined

        if refined is None:
            write_decisions(self.folder, decisions)
        else:
            write_refined(self.folder, *refined, decisions)
        kind, names = decisions[-1].kind, dict(decisions[-1].names)
        if kind in ("merge", "rename"):
            logger.info("model in %s: %s", self.where, json.dumps(names, ensure_ascii=False))
        else:
            logger.info("model in %s: %s into %d fine classes", self.where, kind, len(set(names.values())))


def _in_folder(where: str, folder: Path, params: Mapping[str, Any], decisions: tuple[Decision, ...]) -> _InFolder:
    from falcon_sc.core.state.persistence import describe, read_decisions

    description = describe(folder)
    _check(where, read_decisions(description), description["metadata"].get("model_id"), params, decisions)
    return _InFolder(where, folder)
