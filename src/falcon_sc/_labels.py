"""Labels of the cells as people keep them in ``adata.obs``: text, categories or whole numbers, some of them missing."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from falcon_sc._checks import listed, obs_column
from falcon_sc.core.data.labels import as_array, distinct, missing_as_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

logger = logging.getLogger(__name__)

_HERE = str(Path(__file__).parent)  # warnings name the line of the user that led here


@dataclass(frozen=True)
class Labels:
    """Labels of the cells that have one.

    Parameters
    ----------
    names
        The distinct labels, sorted: str or whole numbers, int64 or what holds larger ones exactly (uint64, object).
    codes
        int64: place in `names` of each labeled cell.
    known
        bool, n_obs: which cells are labeled.
    """

    names: np.ndarray
    codes: np.ndarray
    known: np.ndarray

    @property
    def values(self) -> pd.Categorical:
        """The label of each labeled cell: of ten million, names would take a gigabyte, and minutes to be told apart."""
        return pd.Categorical.from_codes(self.codes, categories=pd.Index(self.names))

    @property
    def sizes(self) -> np.ndarray:
        """int64: cells with each label."""
        return np.bincount(self.codes, minlength=len(self.names))

    def of_all(self) -> pd.Categorical:
        """The label of every cell, missing where it has none."""
        codes = np.full(self.known.size, -1, dtype=np.int64)
        codes[self.known] = self.codes
        return pd.Categorical.from_codes(codes, categories=pd.Index(self.names))


def read_labels(adata: AnnData, key: str, argument: str) -> Labels:
    """Read ``adata.obs[key]``: whole numbers stay numbers (2 sorts before 10), all else becomes text.

    Raises
    ------
    KeyError, TypeError, ValueError
        If there is no such column, it holds nothing but missing values or fractions, or its labels would not be
        kept exactly: two different ones would read the same, or had lost their last digits.
    """
    column = obs_column(adata, key, argument)
    what = f"{argument}={key!r}"
    if isinstance(column.dtype, pd.CategoricalDtype):
        unused = column.cat.categories.difference(column.cat.remove_unused_categories().cat.categories)
        if len(unused):
            logger.info("%s has categories without a cell, ignored: %s", what, listed(unused))
    codes, found = distinct(column, what)
    known = codes >= 0
    if not known.any():
        msg = f"{what} holds only missing values (NA)."
        raise ValueError(msg)
    if _are_numbers(found) and (fractions := [label for label in found if isinstance(label, float)]):
        msg = f"{what} holds fractions such as {fractions[0]:g}: it must hold class labels."
        raise ValueError(msg)
    names, place = np.unique(_names(found, key, argument), return_inverse=True)
    _warn_of_alike(names, what)
    return Labels(names, place[codes[known]], known)


def read_groups(adata: AnnData, key: str, argument: str) -> np.ndarray:
    """Read ``adata.obs[key]``, which puts every cell in a group, such as its data set: str or whole numbers, n_obs.

    Raises
    ------
    KeyError, TypeError, ValueError
        If there is no such column, a value is missing, or two different ones would read the same.
    """
    codes, found = distinct(obs_column(adata, key, argument), f"{argument}={key!r}")
    n_missing = int((codes < 0).sum())
    if n_missing:
        msg = f"{argument}={key!r} is missing (NA) for {n_missing} cells: fill or remove them."
        raise ValueError(msg)
    return _names(found, key, argument)[codes]


def read_batch(adata: AnnData, batch_key: str) -> np.ndarray:
    """Integer code of the batch of each cell, int64, n_obs."""
    codes: np.ndarray = np.unique(read_groups(adata, batch_key, "batch_key"), return_inverse=True)[1]
    if codes.max() + 1 == codes.size > 1:
        msg = (
            f"batch_key={batch_key!r} has another value for each of the {codes.size} cells: give a column that many "
            "cells share, such as the donor."
        )
        raise ValueError(msg)
    return codes


def warn_missing(labels: Labels, key: str, argument: str, consequence: str) -> None:
    """Say how many cells have no label, and what becomes of them."""
    n_missing = int((~labels.known).sum())
    if n_missing:
        msg = f"{argument}={key!r} is missing (NA) for {n_missing} of {labels.known.size} cells: {consequence}."
        warnings.warn(msg, UserWarning, skip_file_prefixes=(_HERE,))


def _warn_of_alike(names: np.ndarray, what: str) -> None:
    """Of what a person typed twice: it is two classes, and does not look like it."""
    alike: dict[str, list[str]] = {}
    for name in map(str, names):
        alike.setdefault(" ".join(name.split()).casefold(), []).append(name)
    several = [same for same in alike.values() if len(same) > 1]
    if several:
        msg = (
            f"{what} holds {listed(several[0])}, which blanks or capitals alone tell apart, and which are taken for different "
            "classes. If they are one, give them one name first."
        )
        warnings.warn(msg, UserWarning, skip_file_prefixes=(_HERE,))


def _names(found: Sequence[Any], key: str, argument: str) -> np.ndarray:
    """One array for all labels: whole numbers, or the text of each, if that tells them apart."""
    if _are_numbers(found) and not any(isinstance(label, float) for label in found):
        return as_array(found)
    labels: dict[str, Any] = {}
    for label in found:
        other = labels.setdefault(str(label), label)
        if other is not label:
            msg = (
                f"{argument}={key!r} holds {other!r} ({type(other).__name__}) and {label!r} ({type(label).__name__}), "
                "which read the same: if they are one, make the column one kind, "
                f"adata.obs[{key!r}] = adata.obs[{key!r}].astype(str); if not, rename one."
            )
            raise ValueError(msg)
    suspects = missing_as_text(found)
    if suspects:
        msg = (
            f"{argument}={key!r} holds the text {listed(suspects)}, which is taken for a name like any other. If it "
            f"stands for a missing value, set that first: adata.obs.loc[adata.obs[{key!r}].isin({suspects}), {key!r}] "
            "= None."
        )
        warnings.warn(msg, UserWarning, skip_file_prefixes=(_HERE,))
    return as_array(list(labels))


def _are_numbers(found: Sequence[Any]) -> bool:
    return all(isinstance(label, int | float) and not isinstance(label, bool) for label in found)
