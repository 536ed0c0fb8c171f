"""The coarse classes and the number of fine ones, checked before anything is computed."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import listed
from falcon_sc.core.data.budget import check_fixed, fine_budget
from falcon_sc.core.data.taxonomy import Taxonomy
from falcon_sc.core.start.input import LEAST_TO_SPLIT

if TYPE_CHECKING:
    from falcon_sc._labels import Labels

logger = logging.getLogger(__name__)

_HERE = str(Path(__file__).parents[1])  # warnings name the line of the user that led here

AUTO = "auto"


def report_small_classes(labels: Labels, coarse_key: str, n_neighbors: int) -> None:
    """Say which classes have no `n_neighbors` other cells, and warn of those that are too small to be split."""
    names, sizes = labels.names, labels.sizes
    tiny = names[sizes < LEAST_TO_SPLIT]
    if tiny.size:
        msg = (
            f"coarse_key={coarse_key!r} has classes of one or two cells, each of which stays one fine class: "
            f"{listed(tiny)}. Set their labels to NA to leave those cells out."
        )
        warnings.warn(msg, UserWarning, skip_file_prefixes=(_HERE,))
    small = {str(name): int(size) for name, size in zip(names, sizes, strict=True) if size <= n_neighbors}
    if small:
        logger.warning("coarse classes with too few cells for n_neighbors=%d repeat theirs: %s", n_neighbors, small)


def count_coarse(labels: Labels, dataset: np.ndarray | None) -> int:
    """Number of coarse classes, of the data set that has most."""
    blocks = [labels.codes] if dataset is None else [labels.codes[dataset == name] for name in np.unique(dataset)]
    return max(np.unique(block).size for block in blocks)


def check_n_fine(
    n_fine: object, fixed: object, labels: Labels, dataset: np.ndarray | None
) -> int | dict[Any, int] | None:
    """Total number of fine classes, or number of each coarse class; None where it is to be estimated.

    Parameters
    ----------
    n_fine, fixed
        What the user gave.
    labels
        Coarse labels.
    dataset
        Data set of each labeled cell, or None if there is only one.

    Returns
    -------
    An int, a dict whose keys are the coarse labels as the model sees them, or None for "auto".
    """
    if isinstance(n_fine, str):
        _check_auto(n_fine, dataset)
        if fixed is not None:
            msg = f"fixed is given with n_fine={AUTO!r}: give the total, for instance that of falcon_sc.tl.estimate_n_fine."
            raise ValueError(msg)
        return None
    values = labels.values
    taxonomy = Taxonomy.of(values, dataset)
    codes = taxonomy.encode(values, dataset)
    budget = fine_budget(n_fine, taxonomy, codes, len(codes))  # type: ignore[arg-type]
    check_fixed(fixed, budget, taxonomy, codes)  # type: ignore[arg-type]
    return budget if isinstance(budget, int) else dict(zip(taxonomy.names, budget.tolist(), strict=True))


def _check_auto(n_fine: str, dataset: np.ndarray | None) -> None:
    if n_fine != AUTO:
        msg = f"n_fine must be an int, a mapping from each coarse class to an int, or {AUTO!r}, found {n_fine!r}."
        raise TypeError(msg)
    if dataset is not None:
        msg = (
            f"n_fine={AUTO!r} cannot be used with several data sets, which share their fine classes: run "
            "falcon_sc.tl.estimate_n_fine on one of them and give the total."
        )
        raise ValueError(msg)
