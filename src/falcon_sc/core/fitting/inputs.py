"""What a fit is given: a matrix, or samples that are read one batch after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
import torch

from falcon_sc.core.data.batches import Samples, as_samples
from falcon_sc.core.data.projection import Projection, fit_projection
from falcon_sc.core.start.input import StartInput

if TYPE_CHECKING:
    from falcon_sc.core.config import FalconConfig


@dataclass(frozen=True)
class Inputs:
    """N samples.

    `samples`: as the network reads them. `start`: what the start clusters. `space`: matrix (N, d), the features of
    the samples or, for samples that are no matrix, those of `start`. `projection`: from a matrix to `space`.
    `is_matrix`: whether a matrix was given.
    """

    samples: Samples
    start: StartInput
    space: Any
    projection: Projection | None
    n_features: int
    is_matrix: bool


def as_input(X: Any) -> Any:
    """Samples as they are, or a finite float32 matrix, dense numpy or scipy CSR.

    Raises
    ------
    ValueError
        If `X` is no matrix, or has values that are NaN or infinite.
    """
    if isinstance(X, Samples):
        return X
    if isinstance(X, torch.Tensor):
        X = X.detach().cpu().numpy()
    X = X.tocsr().astype(np.float32) if sp.issparse(X) else np.asarray(X, dtype=np.float32)
    if X.ndim != 2 or 0 in X.shape:
        msg = f"X must be a matrix of samples and features, found shape {X.shape}."
        raise ValueError(msg)
    if not np.isfinite(X.data if sp.issparse(X) else X).all():
        msg = "X has values that are NaN or infinite: remove or impute them."
        raise ValueError(msg)
    return X


def n_samples(X: Any) -> int:
    """Number of samples of what :func:`as_input` gives."""
    return len(X) if isinstance(X, Samples) else int(X.shape[0])


def n_features(X: Any) -> int:
    """Number of features of what :func:`as_input` gives."""
    return X.n_features if isinstance(X, Samples) else int(X.shape[1])


def check_start_input(X: Any, start_input: StartInput | None) -> None:
    """Samples that are no matrix need features, in which the start and the neighbours are found.

    Raises
    ------
    ValueError
        If there are none, or not one row for each sample.
    """
    if isinstance(X, Samples) and (start_input is None or start_input.kind != "embedding"):
        msg = "X is no matrix: give start_input=StartInput(features, 'embedding'), a row of features for each sample."
        raise ValueError(msg)
    if start_input is not None and start_input.matrix.shape[0] != n_samples(X):
        msg = f"start_input has {start_input.matrix.shape[0]} rows, X has {n_samples(X)} samples."
        raise ValueError(msg)


def prepare(
    X: Any, start_input: StartInput | None, config: FalconConfig, device: torch.device, rng: np.random.Generator
) -> Inputs:
    """Put what :func:`as_input` gives where the method reads it: a matrix is projected, samples are left alone."""
    if isinstance(X, Samples):
        assert start_input is not None
        return Inputs(X, start_input, start_input.matrix, None, X.n_features, is_matrix=False)
    projection = None
    if config.n_pcs is not None and X.shape[1] > config.n_pcs:
        projection = fit_projection(X, config.n_pcs, rng)
    space = X if projection is None else projection(X)
    start = start_input or StartInput(X, "embedding")
    return Inputs(as_samples(space, device), start, space, projection, X.shape[1], is_matrix=True)
