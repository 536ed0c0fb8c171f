"""Coarse classes that are done are kept as they come, so that an interrupted start does not do them again."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from falcon_sc.core.start.class_clustering import ClassFit
from falcon_sc.core.start.representation.class_representations import ClassRepresentations
from falcon_sc.core.start.tree.class_tree import ClassTree
from falcon_sc.core.start.tree.evidence import Evidence
from falcon_sc.core.start.tree.splits import Splits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Arrays = dict[str, np.ndarray]
    Labels = tuple[np.ndarray, np.ndarray]


class Storage(Protocol):
    """Where parts of a start are kept. Several threads call it, each for parts of its own."""

    def load_part(self, name: str) -> Arrays | None:
        """The arrays of a part; None where it was not kept."""

    def save_part(self, name: str, arrays: Arrays) -> None:
        """Keep the arrays of a part."""


class KeptClasses:
    """Coarse classes of which the storage, if there is one, has the fits or the labels. `taken`: the parts it had."""

    def __init__(self, storage: Storage | None) -> None:
        self._storage = storage
        self.taken: set[str] = set()

    @property
    def summary(self) -> str:
        """Of how many classes there were fits and labels."""
        n_fits, n_labels = (sum(name.startswith(kind) for name in self.taken) for kind in ("fits", "labels"))
        return f"fits of {n_fits}, labels of {n_labels}"

    def fit(self, c: int, rng: np.random.Generator, compute: Callable[[], ClassFit]) -> ClassFit:
        """The fits of a class. `rng` is left as they leave it, so that what comes later draws the same."""
        kept = self._take(f"fits_{c}")
        if kept is not None:
            rng.bit_generator.state = _state(kept.pop("generator"))
            return unpacked(kept)
        fit = compute()
        if self._storage is not None:
            self._storage.save_part(f"fits_{c}", packed(fit) | {"generator": _as_text(rng.bit_generator.state)})
        return fit

    def paths(self, c: int, rng: np.random.Generator, compute: Callable[[], np.ndarray]) -> np.ndarray:
        """Further paths of a class; of `rng` the same is true."""
        kept = self._take(f"paths_{c}")
        if kept is not None:
            rng.bit_generator.state = _state(kept["generator"])
            return kept["log_likelihood"]
        log_likelihood = compute()
        if self._storage is not None:
            state = _as_text(rng.bit_generator.state)
            self._storage.save_part(f"paths_{c}", {"log_likelihood": log_likelihood, "generator": state})
        return log_likelihood

    def labels(self, c: int, compute: Callable[[], Labels]) -> Labels:
        """Labels of the cells of a class, and the agreement on them."""
        kept = self._take(f"labels_{c}")
        if kept is not None:
            return kept["labels"], kept["agreement"]
        labels, agreement = compute()
        if self._storage is not None:
            self._storage.save_part(f"labels_{c}", {"labels": labels, "agreement": agreement})
        return labels, agreement

    def splits(self, c: int, compute: Callable[[], Splits]) -> Splits:
        """The tree of a class."""
        kept = self._take(f"splits_{c}")
        if kept is not None:
            parts = _nested(kept)
            return Splits(ClassTree(**parts["tree"]), Evidence(**parts["evidence"]))
        found = compute()
        if self._storage is not None:
            self._storage.save_part(f"splits_{c}", packed(found))
        return found

    def _take(self, name: str) -> Arrays | None:
        kept = None if self._storage is None else self._storage.load_part(name)
        if kept is not None:
            self.taken.add(name)
        return kept


def packed(found: ClassFit | Splits) -> Arrays:
    """All arrays of what was found in a class, by the path to them."""
    return dict(_arrays_in(found, ""))


def _arrays_in(value: Any, path: str) -> list[tuple[str, np.ndarray]]:
    if value is None:
        return []
    if isinstance(value, np.ndarray | bool):
        return [(path, np.asarray(value))]
    parts = {f.name: getattr(value, f.name) for f in fields(value)} if is_dataclass(value) else dict(value)
    return [found for name, part in parts.items() for found in _arrays_in(part, f"{path}/{name}" if path else name)]


def unpacked(arrays: Arrays) -> ClassFit:
    """The fits of a class that were :func:`packed`."""
    parts: dict[str, Any] = {field.name: None for field in fields(ClassFit)} | _nested(arrays)
    representations = {"contrasted": {}, "own_scale": False} | parts["representations"]
    representations["own_scale"] = bool(representations["own_scale"])
    return ClassFit(**parts | {"representations": ClassRepresentations(**representations)})


def _nested(arrays: Arrays) -> dict[str, Any]:
    """Arrays by the paths to them, in the order in which they were packed, which representations go by."""
    tree: dict[str, Any] = {}
    for path, array in arrays.items():
        *folders, name = path.split("/")
        branch = tree
        for folder in folders:
            branch = branch.setdefault(folder, {})
        branch[name] = array
    return tree


def _as_text(state: Mapping[str, Any]) -> np.ndarray:
    """The state of a generator; some have arrays in it."""
    return np.array(json.dumps(state, default=np.ndarray.tolist))


def _state(text: np.ndarray) -> Mapping[str, Any]:
    state: Mapping[str, Any] = json.loads(str(text), object_hook=_with_arrays)
    return state


def _with_arrays(values: dict[str, Any]) -> dict[str, Any]:
    return {name: np.asarray(v, dtype=np.uint64) if isinstance(v, list) else v for name, v in values.items()}
