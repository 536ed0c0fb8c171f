"""What a person should look at twice, in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from falcon_sc.pl._splits import MUCH, TECHNICAL, in_words, percent, short, splits_below

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from falcon_sc.pl._splits import Node, Split

_FEW = 10  # cells
_UNSURE = 0.5  # median confidence
_MOST = 0.75  # share of one donor in a class
_MORE = 0.2  # and that much more than in its coarse class
_NAMED = 2  # classes of a side that are named


def about_class(
    n_cells: int,
    confidence: float,
    markers: list[str] | None,
    *,
    counts: np.ndarray,
    of_parent: np.ndarray,
    groups: Sequence[str],
) -> list[str]:
    """Of a fine class; `counts` are its cells from each of the `groups`, and `of_parent` those of its coarse class."""
    if n_cells == 0:
        return ["it has lost all its cells"]
    said = []
    if n_cells < _FEW:
        said.append("a single cell" if n_cells == 1 else f"only {n_cells} cells")
    if confidence < _UNSURE:
        said.append(f"median confidence {short(confidence)}")
    if len(groups) > 1:
        largest = int(counts.argmax())
        share = counts[largest] / counts.sum()
        if share >= _MOST and share >= of_parent[largest] / of_parent.sum() + _MORE:
            said.append(f"{percent(share)} of it is one donor, {groups[largest]}")
    if markers == []:
        said.append("no marker against its siblings")
    return said


def about_coarse(counts: np.ndarray, groups: Sequence[str]) -> list[str]:
    """Of a coarse class, from its cells by donor."""
    if len(groups) < 2 or not counts.sum():
        return []
    largest = int(counts.argmax())
    share = counts[largest] / counts.sum()
    return [f"{percent(share)} of it is one donor, {groups[largest]}"] if share >= _MOST else []


def about_splits(root: Node | None) -> dict[str, list[str]]:
    """Of the splits that are made: under the class that one sets apart, the smaller one of two, or under "" for groups."""
    said: dict[str, list[str]] = {}
    for split in () if root is None else splits_below(root):
        if split.is_made:
            apart, rest = _sides(split)
            if split.supported:
                explained = [name for name in TECHNICAL if split.evidence.get(name, 0) >= MUCH]
                doubts = [f"is to {percent(split.evidence[name])} explained by {name}" for name in explained]
            else:
                doubts = [f"is not supported ({in_words(split).removesuffix(', not supported')})"]
            single = apart.classes[0] if len(apart.classes) == 1 else ""
            which = (
                f"its split from {_listed(rest)}" if single else f"the split of {_listed(apart)} from {_listed(rest)}"
            )
            said.setdefault(single, []).extend(f"{which} {doubt}" for doubt in doubts)
    return said


def could_be_split(root: Node | None, name: str) -> list[str]:
    """What speaks for splitting a class further."""
    for split in () if root is None else splits_below(root):
        if {name} == {*split.sides[0].classes, *split.sides[1].classes}:
            larger, smaller = split.sizes
            return (
                [f"could be split into {larger:,} and {smaller:,} cells ({in_words(split)})"] if split.supported else []
            )
    return []


def _sides(split: Split) -> tuple[Node, Node]:
    """The side that is set apart, a single class if there is one, and the rest."""
    larger, smaller = split.sides
    return (larger, smaller) if len(larger.classes) == 1 < len(smaller.classes) else (smaller, larger)


def _listed(node: Node) -> str:
    names, more = node.classes[:_NAMED], len(node.classes) - _NAMED
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")
