"""What a person decides about the fine classes after the fit: which are one, and what they are called.

The network keeps its outputs. A decision says which of them count for one class, whose probability is their sum, and
what the class is called; decisions are kept in their order and never rewritten.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import sparse

from falcon_sc.core.data.labels import can_be_written, listed, missing_as_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Decision:
    """One decision: each class that it is about, and its name from then on.

    A cut is about the leaves of the tree, all of them, and undoes merges. A refinement is about the leaves of one coarse class
    that are new with it; what was decided about this class before holds no more.
    """

    kind: Literal["merge", "rename", "cut", "refine"]
    names: Mapping[str, str]


@dataclass(frozen=True)
class FineClasses:
    """The fine classes after some decisions.

    Parameters
    ----------
    names
        (K_F,), all different.
    relation
        M, (K_F, K_C).
    members
        (outputs,) class that each class, or output of the network, of before counts for.
    leaves
        Where the outputs are leaves of a tree: their names (outputs,), and their M, (outputs, K_C).
    """

    names: tuple[str, ...]
    relation: NDArray[np.uint8]
    members: NDArray[np.int64]
    leaves: tuple[tuple[str, ...], NDArray[np.uint8]] | None = None

    @classmethod
    def of(cls, names: Iterable[object], relation: NDArray[np.uint8]) -> FineClasses:
        """Classes about which nothing has been decided."""
        return cls(tuple(map(str, names)), relation, np.arange(len(relation)))

    @classmethod
    def of_leaves(cls, names: Iterable[object], relation: NDArray[np.uint8], members: NDArray[np.int64]) -> FineClasses:
        """Classes (K_F) whose `members` (outputs,), with M of their own, (outputs, K_C), are leaves of a tree.

        A leaf is called like its class, with a number: ``"<class>.<i>"``.
        """
        classes = tuple(map(str, names))
        numbers = [int((members[:leaf] == own).sum()) for leaf, own in enumerate(members)]
        leaves = tuple(f"{classes[own]}.{number}" for own, number in zip(members, numbers, strict=True))
        first = np.unique(members, return_index=True)[1]
        return cls(classes, relation[first], members, (leaves, relation))

    @classmethod
    def by_leaf(cls, leaves: tuple[tuple[str, ...], NDArray[np.uint8]], names: Sequence[str]) -> FineClasses:
        """The classes that `leaves` (their names, and their M) are in, by name; they stand in the order of their first leaves."""
        place = {name: position for position, name in enumerate(dict.fromkeys(names))}
        first = [names.index(name) for name in place]
        members = np.array([place[name] for name in names], dtype=np.int64)
        return cls(tuple(place), leaves[1][first], members, leaves)

    @property
    def class_of_leaf(self) -> list[str]:
        """What the class of each leaf is called."""
        return [self.names[own] for own in self.members]

    def after(self, decisions: Iterable[Decision]) -> FineClasses:
        """The classes after further decisions; a merged one stands where the first of its members stood."""
        classes = self
        for decision in decisions:
            if decision.kind in ("cut", "refine"):
                assert classes.leaves is not None
                now = zip(classes.leaves[0], classes.class_of_leaf, strict=True)
                classes = FineClasses.by_leaf(classes.leaves, [decision.names.get(leaf, own) for leaf, own in now])
                continue
            renamed = [decision.names.get(name, name) for name in classes.names]
            place = {name: position for position, name in enumerate(dict.fromkeys(renamed))}
            members = np.array([place[name] for name in renamed], dtype=np.int64)
            first = [renamed.index(name) for name in place]
            classes = FineClasses(tuple(place), classes.relation[first], members[classes.members], classes.leaves)
        return classes

    def pooled(self, proba: NDArray[np.float32] | sparse.csr_matrix) -> NDArray[np.float32]:
        """Probabilities of the classes, (N, K_F), as sums of those of their members, (N, outputs), dense or CSR."""
        if sparse.issparse(proba):
            into = np.eye(len(self.names), dtype=np.float32)[self.members]
            pooled: NDArray[np.float32] = (
                proba @ sparse.csr_matrix(into)
            ).toarray()  # the same sums, in the same order
            return np.minimum(pooled, 1, out=pooled)
        if len(self.names) == len(self.members):
            return proba
        pooled = np.zeros((len(proba), len(self.names)), dtype=np.float32)
        for member, place in enumerate(self.members):
            pooled[:, place] += proba[:, member]
        return np.minimum(pooled, 1, out=pooled)

    def confidence(
        self, confidence: NDArray[np.float32], proba: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Confidence in the class of each sample, from that in the member it was in.

        What it left open goes to the other members as the network shares it out: a confidence that is a probability
        becomes the sum of the probabilities, and certainty stays certainty.

        Parameters
        ----------
        confidence
            (N,), NaN where there is none.
        proba
            (N, outputs), of the members.
        labels
            (N,) member that each sample was in, -1 for none.
        """
        some = np.flatnonzero(labels >= 0)
        own = proba[some, labels[some]].astype(np.float64)
        others = self.pooled(proba)[some, self.members[labels[some]]] - own
        share = np.divide(others, 1 - own, out=np.zeros(len(some)), where=own < 1)
        raised = confidence.copy()
        raised[some] += (1 - raised[some]) * np.clip(share, 0, 1).astype(raised.dtype)
        return raised


def merging(classes: FineClasses, names: Iterable[object], new_name: object = None) -> Decision:
    """Make one class of several in one coarse class.

    Raises
    ------
    TypeError, ValueError
        If these classes cannot become one, or the name is no name.
    """
    if isinstance(names, str):
        msg = f"names must list the fine classes to merge, found the text {names!r}: give [{names!r}, ...]."
        raise TypeError(msg)
    if not isinstance(names, Iterable):
        msg = f"names must list the fine classes to merge, found {names!r}."
        raise TypeError(msg)
    old = list(dict.fromkeys(map(str, names)))
    _check_known(classes, old, "names")
    if len(old) < 2:
        msg = f"names must list at least two fine classes to merge, found {listed(old)}."
        raise ValueError(msg)
    rows = {name: classes.relation[classes.names.index(name)].tobytes() for name in old}
    if len(set(rows.values())) > 1:
        other = next(name for name in old if rows[name] != rows[old[0]])
        msg = (
            f"names holds {old[0]!r} and {other!r}, which are in different coarse classes: only classes of one coarse "
            "class can be merged."
        )
        raise ValueError(msg)
    new = old[0] if new_name is None else _name(new_name, "new_name")
    if new in classes.names and new not in old:
        msg = f"new_name={new!r} is another fine class: add it to names to merge it too, or give another name."
        raise ValueError(msg)
    return Decision("merge", dict.fromkeys(old, new))


def renaming(classes: FineClasses, names: Mapping[Any, object]) -> Decision:
    """Call classes otherwise.

    Raises
    ------
    TypeError, ValueError
        If one of them is no class, or two would be called the same.
    """
    if not hasattr(names, "items"):
        msg = f"names must map fine classes to their new names, found {type(names).__name__}: give {{old: new}}."
        raise TypeError(msg)
    new = {str(old): _name(name, f"names[{str(old)!r}]") for old, name in names.items()}
    if not new:
        msg = "names is empty: give {old: new}."
        raise ValueError(msg)
    _check_known(classes, list(new), "names")
    after = [new.get(name, name) for name in classes.names]
    twice = [name for name in dict.fromkeys(after) if after.count(name) > 1]
    if twice:
        msg = f"names would leave more than one fine class called {listed(twice)}: to make them one, merge them."
        raise ValueError(msg)
    return Decision("rename", new)


def _check_known(classes: FineClasses, names: Sequence[str], argument: str) -> None:
    unknown = [name for name in names if name not in classes.names]
    if unknown:
        msg = f"{argument} holds {listed(unknown)}, which is no fine class; there are {listed(classes.names)}."
        raise ValueError(msg)


def _name(name: object, argument: str) -> str:
    """A name that every file and table keeps as it is, without blanks around it: they would tell apart what looks alike."""
    if not isinstance(name, str):
        msg = f"{argument} must be text, found {name!r} ({type(name).__name__})."
        raise TypeError(msg)
    if not name.strip() or "\0" in name or missing_as_text([name]):
        msg = f"{argument}={name!r} would be read as a missing label or cut off: give another name."
        raise ValueError(msg)
    if not can_be_written(name):
        msg = f"{argument}={name!r} holds half a character, which no file takes: give another name."
        raise ValueError(msg)
    return str(name).strip()


def as_table(decisions: Iterable[Decision]) -> dict[str, NDArray[Any]]:
    """Plain arrays, a row for each class of each decision: `step` counts these; `kind`, `old` and `new` are text."""
    rows = [
        (step, decision.kind, old, new)
        for step, decision in enumerate(decisions)
        for old, new in decision.names.items()
    ]
    step, *texts = zip(*rows, strict=True) if rows else ((), (), (), ())
    columns = (np.array(text, dtype=np.str_) for text in texts)
    return {"step": np.array(step, dtype=np.int64)} | dict(zip(("kind", "old", "new"), columns, strict=True))


def from_table(table: Mapping[str, Any]) -> tuple[Decision, ...]:
    """What :func:`as_table` made plain."""
    steps: dict[int, tuple[Any, dict[str, str]]] = {}
    for step, kind, old, new in zip(*(table[name] for name in ("step", "kind", "old", "new")), strict=True):
        steps.setdefault(int(step), (str(kind), {}))[1][str(old)] = str(new)
    return tuple(Decision(kind, names) for kind, names in steps.values())
