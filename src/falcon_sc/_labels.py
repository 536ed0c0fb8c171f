"""Coarse labels as users keep them: strings, categories or integers, some of them missing."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from falcon_sc._checks import listed, obs_column

if TYPE_CHECKING:
    from anndata import AnnData

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Labels:
    """Labels of the cells that have one.

    Parameters
    ----------
    values
        str or int64, one for each labelled cell.
    known
        bool, n_obs: which cells are labelled.
    """

    values: np.ndarray
    known: np.ndarray

    @property
    def names(self) -> np.ndarray:
        """The distinct labels, sorted."""
        return np.unique(self.values)


def read_labels(adata: AnnData, key: str, argument: str) -> Labels:
    """Read ``adata.obs[key]``: whole numbers stay numbers (2 sorts before 10), all else becomes strings."""
    column = obs_column(adata, key, argument)
    known = column.notna().to_numpy()
    if not known.any():
        msg = f"{argument}={key!r} holds only missing values (NA)."
        raise ValueError(msg)
    column = column[known]
    if isinstance(column.dtype, pd.CategoricalDtype):
        categories = column.cat.categories
        unused = categories.difference(column.cat.remove_unused_categories().cat.categories)
        if len(unused):
            logger.info("%s=%r has categories without a cell, ignored: %s", argument, key, listed(unused))
        column = column.astype(categories.dtype)
    return Labels(_plain(column, key, argument), known)


def _plain(column: pd.Series, key: str, argument: str) -> np.ndarray:
    """One numpy array of str or int64."""
    kind = column.dtype.kind if column.dtype.kind in "iuf" else column.infer_objects().dtype.kind
    if kind in "iuf":
        numbers = column.to_numpy(dtype=np.float64)
        if not np.array_equal(numbers, np.rint(numbers)):
            msg = f"{argument}={key!r} holds fractions such as {numbers[numbers % 1 != 0][0]:g}: it must hold class labels."
            raise ValueError(msg)
        return numbers.astype(np.int64)
    return column.astype(str).to_numpy(dtype=np.str_)


def warn_missing(labels: Labels, key: str, argument: str, consequence: str) -> None:
    """Say how many cells have no label, and what becomes of them."""
    n_missing = int((~labels.known).sum())
    if n_missing:
        msg = f"{argument}={key!r} is missing (NA) for {n_missing} of {labels.known.size} cells: {consequence}."
        warnings.warn(msg, UserWarning, stacklevel=3)
