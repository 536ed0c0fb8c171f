"""What a model is given: a matrix, or samples that are read one batch after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from falcon_sc.core.data.batches import Samples
from falcon_sc.core.data.rows import Rows, each_block


def as_input(X: Any) -> Any:
    """Samples, and rows on disk, as they are, or a finite float32 matrix, dense numpy or scipy CSR.

    Raises
    ------
    ValueError
        If `X` is no matrix, or has values that are NaN or infinite.
    """
    if isinstance(X, Samples | Rows):
        return X
    if isinstance(X, torch.Tensor):
        X = X.detach().cpu().numpy()
    if sp.issparse(X):
        X = X.tocsr().astype(np.float32, copy=False)
    else:  # a copy where it is read-only, as torch warns of such
        X = np.require(np.asarray(X, dtype=np.float32), requirements="W")
    if X.ndim != 2 or 0 in X.shape:
        msg = f"X must be a matrix of samples and features, found shape {X.shape}."
        raise ValueError(msg)
    if not all(each_block(X, _is_finite)):
        msg = "X has values that are NaN or infinite: remove or impute them."
        raise ValueError(msg)
    return X


def _is_finite(block: Any) -> bool:
    return bool(np.isfinite(block.data if sp.issparse(block) else block).all())


def n_samples(X: Any) -> int:
    """Number of samples of what :func:`as_input` gives."""
    return len(X) if isinstance(X, Samples) else int(X.shape[0])


def n_features(X: Any) -> int:
    """Number of features of what :func:`as_input` gives."""
    return X.n_features if isinstance(X, Samples) else int(X.shape[1])
