"""The coarse classes and the number of fine ones, checked before anything is computed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import check_int, listed

if TYPE_CHECKING:
    from falcon_sc._labels import Labels

logger = logging.getLogger(__name__)

AUTO = "auto"


def check_classes(labels: Labels, coarse_key: str) -> None:
    """At least two classes, and more than one cell in each."""
    names, sizes = np.unique(labels.values, return_counts=True)
    if names.size < 2:
        msg = (
            f"coarse_key={coarse_key!r} has one class only, {str(names[0])!r}: FALCON learns from the contrast "
            "of at least two. Give coarser labels of more cells, or cluster with sc.tl.leiden."
        )
        raise ValueError(msg)
    if sizes.min() < 2:
        alone = [str(name) for name in names[sizes < 2]]
        msg = (
            f"coarse_key={coarse_key!r} has classes of one cell, which has no neighbour: {alone}. "
            "Merge them with another class, or set their labels to NA to leave those cells out."
        )
        raise ValueError(msg)


def report_small_classes(labels: Labels, n_neighbors: int) -> None:
    """Say which classes have no `n_neighbors` other cells."""
    names, sizes = np.unique(labels.values, return_counts=True)
    small = {str(name): int(size) for name, size in zip(names, sizes, strict=True) if size <= n_neighbors}
    if small:
        logger.warning("coarse classes with too few cells for n_neighbors=%d repeat theirs: %s", n_neighbors, small)


def count_coarse(labels: Labels, dataset: np.ndarray | None) -> int:
    """Number of coarse classes, of the data set that has most."""
    blocks = [labels.values] if dataset is None else [labels.values[dataset == name] for name in np.unique(dataset)]
    return max(np.unique(block).size for block in blocks)


def check_n_fine(n_fine: object, labels: Labels, dataset: np.ndarray | None) -> int | dict[Any, int] | None:
    """Total number of fine classes, or number of each coarse class; None where it is to be estimated.

    Parameters
    ----------
    n_fine
        What the user gave.
    labels
        Coarse labels.
    dataset
        Data set of each labelled cell, or None if there is only one.

    Returns
    -------
    An int, a dict whose keys are the coarse labels as the model sees them, or None for "auto".
    """
    if isinstance(n_fine, Mapping):
        return _check_mapping(n_fine, labels, dataset)
    if isinstance(n_fine, str):
        _check_auto(n_fine, dataset)
        return None
    total = check_int(n_fine, "n_fine")
    n_coarse = count_coarse(labels, dataset)
    if total < n_coarse:
        msg = (
            f"n_fine={total} is smaller than the number of coarse classes, {n_coarse}: every class needs at least one."
        )
        raise ValueError(msg)
    if total > labels.values.size:
        msg = f"n_fine={total} is larger than the number of labelled cells, {labels.values.size}: ask for fewer."
        raise ValueError(msg)
    return total


def _check_auto(n_fine: str, dataset: np.ndarray | None) -> None:
    if n_fine != AUTO:
        msg = f"n_fine must be an int, a mapping from coarse class to int, or {AUTO!r}, found {n_fine!r}."
        raise TypeError(msg)
    if dataset is not None:
        msg = (
            f"n_fine={AUTO!r} cannot be used with several data sets, which share their fine classes: run "
            "falcon_sc.tl.estimate_n_fine on one of them and give the total."
        )
        raise ValueError(msg)


def _check_mapping(n_fine: Mapping[Any, object], labels: Labels, dataset: np.ndarray | None) -> dict[Any, int]:
    if dataset is not None:
        msg = "n_fine cannot be a mapping with several data sets, which share their fine classes: give the total."
        raise ValueError(msg)
    given = {str(name): number for name, number in n_fine.items()}
    missing = [name for name in labels.names if str(name) not in given]
    if missing:
        msg = f"n_fine has no number for the coarse classes {listed(missing)}: give one for each class."
        raise ValueError(msg)
    unknown = sorted(set(given) - {str(name) for name in labels.names})
    if unknown:
        msg = f"n_fine names {listed(unknown)}, which no labelled cell has. Coarse classes: {listed(labels.names)}."
        raise ValueError(msg)
    names, sizes = np.unique(labels.values, return_counts=True)
    checked = {}
    for name, size in zip(names.tolist(), sizes.tolist(), strict=True):
        checked[name] = check_int(given[str(name)], f"n_fine[{str(name)!r}]")
        if checked[name] > size:
            msg = f"n_fine[{str(name)!r}]={checked[name]} is larger than the number of cells of that class, {size}."
            raise ValueError(msg)
    return checked
