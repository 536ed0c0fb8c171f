"""What a model is given: a matrix, or samples that are read one batch after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
import torch

from falcon_sc.core.data.batches import Samples
from falcon_sc.core.data.columns import column_names
from falcon_sc.core.data.rows import LARGEST, Rows, check_unmasked, each_block

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def as_input(X: Any) -> Any:
    """Samples, and rows on disk, as they are, or a finite float32 matrix, dense numpy or scipy CSR.

    Raises
    ------
    TypeError
        If `X` holds something else than real numbers.
    ValueError
        If `X` is no matrix, or has values that are NaN, infinite, masked or too large to be squared.
    """
    if isinstance(X, Samples | Rows):
        return X
    if isinstance(X, torch.Tensor):
        X = X.detach().cpu().numpy()
    check_unmasked(X, "X")
    kind = type(X).__name__
    if getattr(X, "dtype", np.dtype(np.float32)).kind == "c":
        msg = "X must be a matrix of numbers, found complex ones."
        raise TypeError(msg)
    try:
        if sp.issparse(X):
            X = X.tocsr().astype(np.float32, copy=False)
        else:  # a copy where it is read-only, as torch warns of such
            X = np.require(np.asarray(X, dtype=np.float32), requirements="W")
    except (TypeError, ValueError) as error:
        msg = f"X must be a matrix of numbers, found {kind} ({error})."
        raise TypeError(msg) from error
    if X.ndim != 2 or 0 in X.shape:
        msg = f"X must be a matrix of samples and features, found shape {X.shape}."
        raise ValueError(msg)
    largest = float(np.max(each_block(X, _largest)))
    if not np.isfinite(largest):
        msg = "X has values that are NaN or infinite: remove or impute them."
        raise ValueError(msg)
    if largest > LARGEST:
        msg = f"X has values as large as {largest:g}, beyond {LARGEST:g}, whose squares cannot be summed: correct or remove them."
        raise ValueError(msg)
    return X


def _largest(block: Any) -> float:
    """Of the absolute values; NaN if there is one."""
    values = block.data if sp.issparse(block) else block
    return max(float(values.max(initial=0)), -float(values.min(initial=0))) if values.size else 0.0


def checked_names(names: ArrayLike | None, X: Any, given: Any) -> NDArray[Any] | None:
    """Names of the features of `X`, what :func:`as_input` gives; of a table, as it was `given`, those of its columns.

    Raises
    ------
    ValueError
        If there are not as many.
    """
    names = column_names(given) if names is None else names
    if names is None:
        return None
    found = np.asarray(names)
    if found.shape != (n_features(X),):
        msg = f"feature_names has {found.size} names, X has {n_features(X)} features: give one for each."
        raise ValueError(msg)
    return found


def n_samples(X: Any) -> int:
    """Number of samples of what :func:`as_input` gives."""
    return len(X) if isinstance(X, Samples) else int(X.shape[0])


def n_features(X: Any) -> int:
    """Number of features of what :func:`as_input` gives."""
    return X.n_features if isinstance(X, Samples) else int(X.shape[1])
