"""The tree of splits of a result, with the fine classes by the names that the cells have now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import listed
from falcon_sc.pl._classes import check_holds, read_about

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from anndata import AnnData

    from falcon_sc.pl._classes import Classes

EVIDENCE = ("comes_back", "markers", "agreement", "depth", "mitochondria", "batch")
_NEEDED = ("left", "right", "n_left", "n_right", "opens_at", "supported", "class_of_leaf")
TECHNICAL = ("depth", "mitochondria", "batch")
MUCH = 0.5  # share of a split that something technical explains, from which on that is said


@dataclass(frozen=True, eq=False)
class Node:
    """Cells that stay together down to here: a whole coarse class, or a side of a split.

    Parameters
    ----------
    classes
        Fine classes that have cells here at the present cut.
    split
        How these cells come apart; None where nothing is known.
    """

    classes: tuple[str, ...]
    split: Split | None = None


@dataclass(frozen=True, eq=False)
class Split:
    """How the cells of a node come apart.

    Parameters
    ----------
    sides
        The two parts, the larger one first.
    sizes
        Cells of each, in the run.
    opens_at
        Number of fine classes of the coarse class from which on this split is made.
    supported
        Whether the evidence suffices.
    evidence
        Those of :data:`EVIDENCE` that could be had.
    """

    sides: tuple[Node, Node]
    sizes: tuple[int, int]
    opens_at: int
    supported: bool
    evidence: Mapping[str, float]

    @property
    def is_made(self) -> bool:
        """Whether no class of the present cut lies on both sides."""
        return set(self.sides[0].classes).isdisjoint(self.sides[1].classes)


def read_trees(adata: AnnData, key: str, classes: Classes) -> dict[str, Node]:
    """The tree of each coarse class that has cells, by its name, in the order of `classes`.

    Raises
    ------
    KeyError
        There is no result under `key`, or it has no tree.
    ValueError
        A class was named by hand: nothing says where in the tree it belongs. Or two coarse classes have one name now.
    """
    about = read_about(adata, key)
    if "tree" not in about:
        raise KeyError(why_no_tree(about, key))
    again = "anndata.concat drops what differs between the parts. Draw the tree of each part before they are joined"
    check_holds(about["tree"], _NEEDED, f"adata.uns[{key!r}]['tree']", again)
    fine_names = [str(name) for name in about["fine_names"]]
    unknown = [name for name in classes.names if name not in set(fine_names)]
    if unknown:
        msg = (
            f"adata.obs[{key + '_fine'!r}] holds {listed(unknown)}, which adata.uns[{key!r}]['fine_names'] does not, so "
            "that the tree does not know them: give those cells their old names back. falcon_sc.tl.rename and "
            "falcon_sc.tl.merge keep names and tree together."
        )
        raise ValueError(msg)
    parent_of = dict(zip(classes.names.tolist(), classes.parents.tolist(), strict=True))
    roots = [
        (parent_of[root.classes[0]], root) for root in _roots(about["tree"], fine_names) if root.classes[0] in parent_of
    ]
    by_name = dict(roots)
    if len(by_name) < len(roots):
        names = [parent for parent, _ in roots]
        msg = (
            f"several coarse classes of the run, with a tree each, are called {listed(name for name in by_name if names.count(name) > 1)} "
            "now: give their cells different names in the column of coarse labels first."
        )
        raise ValueError(msg)
    return {parent: by_name[parent] for parent in dict.fromkeys(classes.parents.tolist())}


def why_no_tree(about: Mapping[str, Any], key: str) -> str:
    """What to say where a result has none."""
    why = (
        "falcon_sc.tl.discover finds one for one data set and more fine classes than coarse ones, with start='consensus', "
        "prior='within_coarse', restrict_to_coarse=True and leaves_per_class above 1 in its config, as by default."
    )
    if about.get("params", {}).get("predicted", False):
        why = "falcon_sc.tl.predict makes none. The tree is that of the cells that falcon_sc.tl.discover read."
    return f"adata.uns[{key!r}] holds no tree of splits: {why}"


def splits_below(root: Node) -> Iterator[Split]:
    """All splits of a tree, parents before children."""
    waiting = [root]
    while waiting:
        split = waiting.pop().split
        if split is not None:
            yield split
            waiting += reversed(split.sides)


def short(share: float) -> str:
    """A share as ".82"; what chance left below zero is ".00"."""
    return f"{max(share, 0):.2f}".removeprefix("0")


def percent(share: float) -> str:
    """A share as "82 %"."""
    return f"{100 * share:.0f} %"


def in_words(split: Split) -> str:
    """The evidence for a split, in a few words."""
    evidence = split.evidence
    words = [f"comes back {short(evidence['comes_back'])}"] if "comes_back" in evidence else []
    if "agreement" in evidence:
        words.append(f"agreement {short(evidence['agreement'])}")
    if "markers" in evidence:
        n = round(evidence["markers"])
        words.append(f"{n or 'no'} marker{'s' * (n != 1)}")
    words += [f"{percent(evidence[name])} {name}" for name in TECHNICAL if evidence.get(name, 0) >= MUCH]
    return ", ".join(words if split.supported else [*words, "not supported"])


def _roots(tree: Mapping[str, Any], fine_names: list[str]) -> list[Node]:
    """Of each coarse class, the node of all its leaves."""
    arrays = {name: np.asarray(values) for name, values in tree.items()}
    nodes = [Node((fine_names[row],)) for row in arrays["class_of_leaf"].tolist()]
    inner: set[int] = set()
    for j in range(arrays["left"].size):
        ends = int(arrays["left"][j]), int(arrays["right"][j])
        inner.update(ends)
        split = Split(
            sides=(nodes[ends[0]], nodes[ends[1]]),
            sizes=(int(arrays["n_left"][j]), int(arrays["n_right"][j])),
            opens_at=int(arrays["opens_at"][j]),
            supported=bool(arrays["supported"][j]),
            evidence={
                name: float(arrays[name][j]) for name in EVIDENCE if name in arrays and not np.isnan(arrays[name][j])
            },
        )
        nodes.append(Node(tuple(dict.fromkeys(split.sides[0].classes + split.sides[1].classes)), split))
    return [node for place, node in enumerate(nodes) if place not in inner]
