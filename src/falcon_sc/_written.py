"""What falcon_sc wrote into an object, by which it knows what it may replace: its own earlier results, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from falcon_sc._checks import check_key_added

if TYPE_CHECKING:
    from anndata import AnnData

    type Slot = tuple[str, str]  # attribute of the object, name in it


@dataclass(frozen=True)
class Kind:
    """What a function writes under a key.

    Parameters
    ----------
    function
        Its name, for messages.
    sign
        An entry that ``adata.uns[key]`` has if it is of this kind, and of no other.
    slots
        Where it writes, with ``{}`` for the key.
    """

    function: str
    sign: str
    slots: tuple[Slot, ...]

    def under(self, key: str) -> list[Slot]:
        """Its slots for this key."""
        return [(attribute, name.format(key)) for attribute, name in self.slots]


_OF_CELLS = (("obs", "{}_fine"), ("obs", "{}_confidence"), ("obsm", "{}_proba"), ("obsm", "X_{}"))
LEAF_SLOTS = (("obs", "{}_leaf"), ("obs", "{}_agreement"), ("obsm", "{}_leaf_proba"))
_MARK = "{}_highly_variable"
CLASSES = Kind(
    "falcon_sc.tl.discover or falcon_sc.tl.predict",
    "fine_names",
    (*_OF_CELLS, *LEAF_SLOTS, ("uns", "{}"), ("uns", "{}_fine_colors"), ("var", _MARK)),
)
NUMBERS = Kind("falcon_sc.tl.estimate_n_fine", "stable", (("uns", "{}"),))
GENES = Kind("falcon_sc.pp.select_genes", "n_genes", (("var", "{}"), ("uns", "{}")))
GRAPH = Kind(
    "falcon_sc.pp.neighbors_within",
    "connectivities_key",
    (("obsp", "{}_distances"), ("obsp", "{}_connectivities"), ("uns", "{}")),
)
MARKERS = Kind("falcon_sc.tl.markers", "pvals_adj", (("uns", "{}"), ("uns", "{}_siblings")))
_KINDS = (CLASSES, NUMBERS, GENES, GRAPH, MARKERS)
_HOLDS = {"coarse_key": "obs", "batch_key": "obs", "dataset_key": "obs", "use_rep": "obsm"}


def is_kind(about: object, kind: Kind) -> bool:
    """Whether an entry of ``adata.uns`` is one that falcon_sc wrote, of this kind."""
    if not isinstance(about, Mapping) or kind.sign not in about:
        return False
    params = about.get("params")
    return isinstance(params, Mapping) and "falcon_sc" in params


def is_rest(about: object) -> bool:
    """Whether an entry of ``adata.uns`` is what anndata.concat left of results of different runs."""
    if not isinstance(about, Mapping) or any(kind.sign in about for kind in _KINDS):
        return False
    params = about.get("params")
    return isinstance(params, Mapping) and "falcon_sc" in params


def check_free(adata: AnnData, key_added: str, kind: Kind, **reads: str | None) -> None:
    """Refuse a key under which something would be lost that falcon_sc did not write, or that the call reads.

    A result of the same kind under the same key is replaced. The column that marks genes is shared by what discovers
    classes and what selects genes.

    Parameters
    ----------
    adata
        The object that will be written to.
    key_added
        The key that was given.
    kind
        What will be written.
    reads
        Arguments that name what is read, such as ``coarse_key="coarse"``. With `use_rep` no genes are marked.

    Raises
    ------
    ValueError
        If the key is no key, or taken; names what is there.
    """
    check_key_added(key_added)
    slots = kind.under(key_added)
    if reads.get("use_rep") is not None:
        slots = [slot for slot in slots if slot[0] != "var"]
    for argument, name in reads.items():
        if (_HOLDS[argument], name) in slots:
            msg = (
                f"key_added={key_added!r} would overwrite adata.{_HOLDS[argument]}[{name!r}], which this call reads "
                f"({argument}={name!r}): give another key_added, such as {key_added + '_2'!r}."
            )
            raise ValueError(msg)
    owners = _owners(adata, key_added)
    taken = [slot for slot in slots if slot[1] in getattr(adata, slot[0]) and not _may(kind, key_added, slot, owners)]
    if taken:
        raise ValueError(_message(key_added, taken, owners))


def _owners(adata: AnnData, key_added: str) -> dict[Slot, tuple[Kind, str]]:
    """Every slot that is taken up by a result of falcon_sc, with the kind of the result and its key."""
    results = [(kind, key) for key, about in adata.uns.items() for kind in _KINDS if is_kind(about, kind)]
    # anndata.concat keeps what belongs to cells and drops `uns`, or most of it; nobody else writes these four together
    is_gone = key_added not in adata.uns or is_rest(adata.uns[key_added])
    if is_gone and all(name.format(key_added) in getattr(adata, at) for at, name in _OF_CELLS):
        results.append((CLASSES, key_added))
    return {slot: (kind, key) for kind, key in results for slot in kind.under(key)}


def _may(kind: Kind, key_added: str, slot: Slot, owners: Mapping[Slot, tuple[Kind, str]]) -> bool:
    """Whether a result of this kind may replace what the slot holds."""
    return slot in owners and (slot[0] == "var" or owners[slot] == (kind, key_added))


def _message(key_added: str, taken: list[Slot], owners: Mapping[Slot, Any]) -> str:
    """What would be overwritten: first what somebody else wrote."""
    foreign = [slot for slot in taken if slot not in owners] or taken
    places = ", ".join(f"adata.{attribute}[{name!r}]" for attribute, name in foreign)
    if foreign[0] in owners:
        whose = f"which holds results of {owners[foreign[0]][0].function}"
    else:
        whose = "which falcon_sc did not write"
    return (
        f"key_added={key_added!r} would overwrite {places}, {whose}: give another key_added, such as "
        f"{key_added + '_2'!r}, or delete that first."
    )
