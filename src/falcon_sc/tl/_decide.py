"""A decision about fine classes, carried out everywhere at once: the object, its colors, and the saved model."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from falcon_sc._checks import check_adata, listed, obs_column
from falcon_sc.core.data.labels import distinct
from falcon_sc.core.runtime.files import as_path
from falcon_sc.core.state.decisions import FineClasses, as_table, from_table
from falcon_sc.pl._classes import check_column, read_about
from falcon_sc.pl._style import chosen_colors
from falcon_sc.tl._models import followers
from falcon_sc.tl._tree import has_leaves, read_found, read_leaves
from falcon_sc.tl._write import put_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from anndata import AnnData

    from falcon_sc.core.model import Falcon
    from falcon_sc.core.state.decisions import Decision

_HERE = str(Path(__file__).parents[1])  # warnings name the line of the user that led here


def decide(
    adata: AnnData,
    key: str,
    make: Callable[[Mapping[str, Any], FineClasses], Decision],
    model: Falcon | str | Path | None,
    *,
    copy: bool,
) -> AnnData | None:
    """Make a decision about the classes as they are, and carry it out; nothing is changed where that is not possible."""
    check_adata(adata, copy=copy, genes=False)
    adata = copy_with_model(adata, key, model) if copy else adata
    about = read_about(adata, key)
    classes = read_leaves(about, key)
    codes = codes_of(adata, key, classes)
    decision = make(about, classes)
    earlier = from_table(about["decisions"]) if "decisions" in about else ()
    decisions = (*earlier, decision)
    after = classes.after([decision])
    if classes.leaves is not None and (has_leaves(adata, key) or decision.kind == "cut"):
        order = after.names if decision.kind == "cut" else _order(adata, key, classes, decision)
        slots = _slots_of_leaves(adata, key, about, classes=classes, after=after, codes=codes, order=order)
    else:
        slots = _slots(adata, key, classes, codes, decision)
    slots.append((adata.uns, key, dict(about) | _about(after, about, decisions)))
    following = followers(about.get("params", {}), decisions, model, key=key)
    chosen: dict[str, str] = {}
    for name, color in chosen_colors(adata, key).items():
        chosen.setdefault(name if decision.kind == "cut" else decision.names.get(name, name), color)
    put_all(adata, key, slots, then=[partial(own.follow, decisions) for own in following], chosen=chosen)
    return adata if copy else None


def copy_with_model(adata: AnnData, key: str, model: Falcon | str | Path | None) -> AnnData:
    """A copy, whose model is the folder that is given for it; the saved one belongs to the object that stays as it is."""
    params = {name: value for name, value in read_about(adata, key).get("params", {}).items() if name != "saved_model"}
    if isinstance(model, str | Path):
        params["saved_model"] = str(as_path(model).resolve())
    copied = adata.copy()
    copied.uns[key] = dict(copied.uns[key]) | {"params": params}
    return copied


def codes_of(adata: AnnData, key: str, classes: FineClasses) -> np.ndarray:
    """Class of each cell, -1 for none."""
    name = f"{key}_fine"
    check_column(adata, name, key)
    codes, found = distinct(obs_column(adata, name, "key"), f"adata.obs[{name!r}]")
    texts = [str(label) for label in found]
    unknown = [text for text in texts if text not in classes.names]
    if unknown:
        msg = (
            f"adata.obs[{name!r}] holds {listed(unknown)}, which adata.uns[{key!r}]['fine_names'] does not: give those "
            "cells their old names back. falcon_sc.tl.rename and falcon_sc.tl.merge keep names, probabilities and the "
            "model together."
        )
        raise ValueError(msg)
    place = np.array([*(classes.names.index(text) for text in texts), -1], dtype=np.int64)
    return place[codes]


def _slots_of_leaves(
    adata: AnnData,
    key: str,
    about: Mapping[str, Any],
    *,
    classes: FineClasses,
    after: FineClasses,
    codes: np.ndarray,
    order: Iterable[str],
) -> list[tuple[Any, str, Any]]:
    """What belongs to cells, by the leaves of the tree; a cell without a class keeps none, one put elsewhere by hand stays there."""
    found = read_found(adata, about, key)
    seen = found.through(after)
    by_hand = (codes >= 0) & ((found.labels < 0) | (classes.members[found.labels] != codes))
    parts = [np.unique(after.members[classes.members == own]) for own in range(len(classes.names))]
    place = np.array([*(own[0] if len(own) == 1 else -1 for own in parts), -1], dtype=np.int64)[codes]
    kept = by_hand & (place >= 0)
    new = np.where(kept, place, np.where(codes < 0, -1, seen.labels))
    before = np.full(adata.n_obs, np.nan, dtype=np.float32)
    if f"{key}_confidence" in adata.obs:
        before = obs_column(adata, f"{key}_confidence", "key").to_numpy(np.float32, na_value=np.nan)
    confidence = np.where(kept, before, seen.confidence)
    confidence[new < 0] = np.nan
    warn_of_lost(by_hand & ~kept)
    return [
        fine_slot(adata, key, after.names, new, order),
        (adata.obsm, f"{key}_proba", seen.proba),
        (adata.obs, f"{key}_confidence", confidence),
    ]


def warn_of_lost(cells: np.ndarray) -> None:
    """Of these (bool, n_obs), which somebody put into a class that is divided now, nothing says in which part they are."""
    if cells.any():
        msg = (
            f"{cells.sum()} cells were put by hand into classes that are divided now, and nothing says into which part they belong: "
            "each goes by its leaf in the tree, and has no class where it has none."
        )
        warnings.warn(msg, UserWarning, skip_file_prefixes=(_HERE,))


def _order(adata: AnnData, key: str, classes: FineClasses, decision: Decision) -> list[str]:
    """The categories as they are, in the order that somebody may have given them, under their new names."""
    column = obs_column(adata, f"{key}_fine", "key")
    names = column.cat.categories.astype(str) if hasattr(column, "cat") else classes.names
    return [decision.names.get(name, name) for name in names]


def fine_slot(
    adata: AnnData, key: str, names: Sequence[str], codes: np.ndarray, order: Iterable[str]
) -> tuple[Any, str, Any]:
    """The column of fine classes; its categories are those that have cells, in the order that is given."""
    present = {names[code] for code in np.unique(codes[codes >= 0])}
    categories = [name for name in dict.fromkeys(order) if name in present]
    labels = np.array([*names, None], dtype=object)[codes]
    return adata.obs, f"{key}_fine", pd.Series(pd.Categorical(labels, categories=categories), index=adata.obs_names)


def _slots(
    adata: AnnData, key: str, classes: FineClasses, codes: np.ndarray, decision: Decision
) -> list[tuple[Any, str, Any]]:
    """What belongs to cells, of which no more than the classes is known."""
    after = FineClasses.of(classes.names, classes.relation).after([decision])
    new = np.where(codes < 0, -1, after.members[codes])
    slots = [fine_slot(adata, key, after.names, new, _order(adata, key, classes, decision))]
    proba = np.asarray(adata.obsm.get(f"{key}_proba", ()), dtype=np.float32)
    if proba.shape == (adata.n_obs, len(classes.names)):
        slots.append((adata.obsm, f"{key}_proba", after.pooled(proba)))
        if f"{key}_confidence" in adata.obs:
            confidence = obs_column(adata, f"{key}_confidence", "key").to_numpy(np.float32, na_value=np.nan)
            slots.append((adata.obs, f"{key}_confidence", after.confidence(confidence, proba, codes)))
    elif proba.size:
        msg = (
            f"adata.obsm[{key + '_proba'!r}] has the shape {proba.shape}, expected a column for each of the "
            f"{len(classes.names)} fine classes: it is not of this result. Delete it, or run discover again."
        )
        raise ValueError(msg)
    return slots


def _about(classes: FineClasses, about: Mapping[str, Any], decisions: tuple[Decision, ...]) -> dict[str, Any]:
    names = np.array(classes.names, dtype=np.str_)
    new = {"M": classes.relation, "fine_names": names, "decisions": as_table(decisions)}
    tree = {} if classes.leaves is None else {"tree": dict(about["tree"]) | {"class_of_leaf": classes.members}}
    return new | tree
