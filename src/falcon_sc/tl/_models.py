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

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What `discover` keeps of a run beside the model."""

    def feature_names(self) -> list[str] | None:
        """What the network reads, None for the dimensions of an embedding."""

    def follow(self, decisions: tuple[Decision, ...], refined: tuple[int, Refinement] | None = None) -> None:
        """Take over all these; `refined`: other outputs that the last one brings, and the coarse class they are for."""


def followers(
    params: Mapping[str, Any],
    decisions: tuple[Decision, ...],
    model: Falcon | str | Path | None,
    *,
    key: str,
    needed: bool = False,
) -> list[Follower]:
    """The model that was given, which must fit, and the one that `discover` saved, if it is still there.

    `decisions`: of which a model may know the first ones. One that was given may have been told others, which these replace.

    `key`: of the result, for messages. `needed`: without the saved one another must be given, for it could not be brought up to
    date later.

    Those in memory come last: what can fail has been done by then.
    """
    found: list[Follower] = []
    in_memory: list[Follower] = []
    given = None
    if isinstance(model, str | Path):
        given = check_writable(model, "model", folder=True)
        found.append(_in_folder(f"model={str(model)!r}", given, params, decisions, replace=True))
    elif model is not None:
        in_memory.append(_in_memory(model, params, decisions))
    saved = params.get("saved_model")
    if saved is not None and (given is None or given.resolve() != Path(saved)):
        try:
            found.append(_in_folder(repr(saved), Path(saved), params, decisions))
        except (OSError, ValueError) as error:
            advice = "Give model=..., if you have it"
            if isinstance(error, _OtherDecisionsError):
                advice = f"To let it have those of adata in their place, give model={saved!r}"
            if needed and model is None:
                msg = (
                    f"the model that was saved with this result is needed, and cannot be taken: {error} {advice}; "
                    f"to go on without a model: del adata.uns[{key!r}]['params']['saved_model']."
                )
                raise ValueError(msg) from error
            msg = f"the model that was saved with this result keeps the classes it has: {error} {advice}."
            warnings.warn(msg, UserWarning, skip_file_prefixes=(_HERE,))
    return [*found, *in_memory]


class _OtherDecisionsError(ValueError):
    """The model was told other decisions, by another copy of the object, and can be told those of this one instead."""


def _check(
    where: str,
    known: tuple[Decision, ...],
    model_id: object,
    params: Mapping[str, Any],
    decisions: tuple[Decision, ...],
    *,
    replace: bool,
) -> None:
    """A model can be told the decisions that it has not heard of, or, with `replace`, these in the place of others."""
    if model_id != params.get("model_id"):
        msg = f"{where} is another model than the one that these classes are from."
        raise ValueError(msg)
    shared = _n_shared(known, decisions)
    if any(decision.kind == "refine" for decision in known[shared:]):
        msg = f"{where} has other decisions about its classes than adata, a refinement among them, which cannot be undone."
        raise ValueError(msg)
    if any(decision.kind == "refine" for decision in decisions[shared:]):
        msg = f"{where} lacks classes that falcon_sc.tl.refine found since, and cannot be given them afterwards."
        raise ValueError(msg)
    if shared < len(known) and not replace:
        msg = f"{where} has other decisions about its classes than adata, such as those about another copy of it."
        raise _OtherDecisionsError(msg)


def _n_shared(known: tuple[Decision, ...], decisions: tuple[Decision, ...]) -> int:
    """How many of the first decisions are the same."""
    same = [one == other for one, other in zip(known, decisions, strict=False)]
    return same.index(False) if False in same else len(same)


@dataclass(frozen=True)
class _InMemory:
    model: Falcon

    @property
    def metadata(self) -> Mapping[str, Any]:
        return self.model.metadata

    def feature_names(self) -> list[str] | None:
        names = self.model.feature_names_in_
        return None if names is None else list(map(str, names))

    def follow(self, decisions: tuple[Decision, ...], refined: tuple[int, Refinement] | None = None) -> None:
        shared = _n_shared(self.model.decisions_, decisions)
        if refined is None:
            self.model.decide(decisions[shared:], keep=shared)
        else:
            self.model.refine(*refined, decisions[shared:], keep=shared)


def _in_memory(model: Falcon, params: Mapping[str, Any], decisions: tuple[Decision, ...]) -> _InMemory:
    from falcon_sc.core.model import Falcon

    if not isinstance(model, Falcon) or not hasattr(model, "relation_"):
        msg = f"model must be a fitted falcon_sc.Falcon or the folder of one, found {type(model).__name__}."
        raise TypeError(msg)
    _check("model", model.decisions_, model.metadata.get("model_id"), params, decisions, replace=True)
    return _InMemory(model)


@dataclass(frozen=True)
class _InFolder:
    where: str
    folder: Path

    @property
    def metadata(self) -> Mapping[str, Any]:
        from falcon_sc.core.state.persistence import describe

        metadata: Mapping[str, Any] = describe(self.folder)["metadata"]
        return metadata

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


def _in_folder(
    where: str, folder: Path, params: Mapping[str, Any], decisions: tuple[Decision, ...], *, replace: bool = False
) -> _InFolder:
    from falcon_sc.core.state.persistence import describe, read_decisions

    description = describe(folder, where)
    _check(
        where, read_decisions(description), description["metadata"].get("model_id"), params, decisions, replace=replace
    )
    return _InFolder(where, folder)
