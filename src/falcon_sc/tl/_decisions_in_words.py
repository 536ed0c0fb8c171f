"""What was cut, merged and named, in order, in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from falcon_sc.core.state.decisions import from_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def decisions_in_words(about: Mapping[str, Any], coarse_names: Sequence[str]) -> list[str]:
    """A sentence for each decision in a result; `coarse_names` are what its coarse classes are called now, K_C."""
    return [
        _in_words(decision.kind, decision.names, about, coarse_names)
        for decision in from_table(about.get("decisions", _NONE))
    ]


_NONE: dict[str, tuple[()]] = {"step": (), "kind": (), "old": (), "new": ()}


def _in_words(kind: str, names: Mapping[str, str], about: Mapping[str, Any], coarse_names: Sequence[str]) -> str:
    if kind == "merge":
        return f"Merged {', '.join(names)} into {next(iter(names.values()))}."
    if kind == "rename":
        return f"Renamed {', '.join(f'{old} to {new}' for old, new in names.items())}."
    done = {"cut": "Cut", "refine": "Refined"}[kind]
    return f"{done} into {len(set(names.values()))} fine classes{_numbers(names, about, coarse_names)}."


def _numbers(names: Mapping[str, str], about: Mapping[str, Any], coarse_names: Sequence[str]) -> str:
    """How many there are in each coarse class, where the names are those of the leaves of the tree."""
    tree = about.get("tree", {})
    coarse = [coarse_names[column] for column in tree.get("leaf_coarse", ())]
    parent_of = dict(zip(map(str, tree.get("leaf_names", ())), coarse, strict=False))
    classes: dict[str, set[str]] = {}
    for leaf, name in names.items():
        if leaf in parent_of:
            classes.setdefault(parent_of[leaf], set()).add(name)
    return f": {', '.join(f'{len(own)} of {parent}' for parent, own in classes.items())}" if classes else ""
