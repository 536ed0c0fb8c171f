"""What every comparison of labels needs: validation, contingency tables, one-to-one matching of classes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_HERE = str(Path(__file__).parent)  # warnings name the line of the user that led here


def matching(counts: NDArray[np.int64], preference: NDArray[Any] | None = None) -> tuple[NDArray[Any], NDArray[Any]]:
    """Pair rows with columns so that most samples agree; among equals, so that the preferences sum highest."""
    from scipy.optimize import linear_sum_assignment

    if preference is None:
        preference = counts / counts.sum(axis=1, keepdims=True)  # recall of the true classes
    # Preferences lie in [0, 1], so all of them together weigh less than one sample.
    weight = 0.5 / min(counts.shape)
    rows, columns = linear_sum_assignment(counts + weight * preference, maximize=True)
    return rows, columns


def contingency(true: ArrayLike, predicted: ArrayLike) -> tuple[NDArray[np.int64], list[Any], list[Any]]:
    """Samples per true (rows) and predicted (columns) class, and the names of both."""
    check_paired(true, predicted)
    true_codes, true_names = encode(true, "true")
    predicted_codes, predicted_names = encode(predicted, "predicted")
    counts = count_pairs(true_codes, predicted_codes, len(true_names), len(predicted_names))
    return counts, true_names, predicted_names


def count_pairs(first: NDArray[Any], second: NDArray[Any], n_first: int, n_second: int) -> NDArray[np.int64]:
    flat = first.astype(np.int64) * n_second + second
    return np.bincount(flat, minlength=n_first * n_second).reshape(n_first, n_second)


def check_paired(first: ArrayLike, second: ArrayLike, name: str = "true", other: str = "predicted") -> None:
    for labels, which in ((first, name), (second, other)):
        if np.ndim(labels) != 1 or not np.size(labels):
            msg = f"{which} must be a non-empty one-dimensional array of labels, it has shape {np.shape(labels)}."
            raise ValueError(msg)
    if len(first) != len(second):  # type: ignore[arg-type]
        msg = f"{name} has {len(first)} labels and {other} {len(second)}: give one of each per sample."  # type: ignore[arg-type]
        raise ValueError(msg)
    _warn_of_another_order(first, second, name, other)


def _warn_of_another_order(first: Any, second: Any, name: str, other: str) -> None:
    """Columns are compared from top to bottom, also where they name the same samples in another order."""
    from pandas import Series

    if not (isinstance(first, Series) and isinstance(second, Series)) or first.index.equals(second.index):
        return
    one, two = first.index, second.index
    if one.is_unique and two.is_unique and one.isin(two).all():
        msg = (
            f"{other} has the index of {name} in another order, and samples were compared from top to bottom. If the index "
            f"names the samples, give {other}.loc[{name}.index]."
        )
        warnings.warn(msg, UserWarning, skip_file_prefixes=(_HERE,))


def encode(labels: ArrayLike, name: str) -> tuple[NDArray[np.int64], list[Any]]:
    """Number the classes that occur, in sorted order."""
    import pandas as pd

    values: Any = labels
    if not isinstance(labels, pd.Series | pd.Index | pd.Categorical):
        # Lists go through dtype object: as text or floats their None and NaN could pass for names of classes.
        values = np.asarray(labels) if hasattr(labels, "__array__") else np.asarray(labels, dtype=object)
    if isinstance(labels, np.ma.MaskedArray):
        values = np.ma.filled(labels.astype(object), np.nan)
    if isinstance(values.dtype, np.dtype):
        values = values.astype(values.dtype.newbyteorder("="))  # pandas takes the machine's own byte order alone
    codes, names = pd.factorize(values, sort=True)
    if missing := int((codes < 0).sum()):
        msg = f"{name} holds {missing} missing values: drop these samples from both arguments, or name their class."
        raise ValueError(msg)
    return codes, list(names)
