"""The samples of a problem, put where the method reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from falcon_sc.core.data.batches import Samples, as_samples
from falcon_sc.core.data.projection import Projection, fit_projection
from falcon_sc.core.data.rows import in_memory
from falcon_sc.core.start.input import StartInput

if TYPE_CHECKING:
    import numpy as np
    import torch

    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.fitting.problem import Problem


@dataclass(frozen=True)
class Prepared:
    """N samples where the method reads them."""

    samples: Samples  # as the network reads them
    start_input: StartInput  # what the start clusters
    space: Any  # (N, d), the features of the samples or, for samples that are no matrix, those of `start_input`
    projection: Projection | None  # from a matrix to `space`
    n_features: int
    is_matrix: bool  # whether a matrix was given


def prepare(problem: Problem, config: FalconConfig, device: torch.device, rng: np.random.Generator) -> Prepared:
    """A matrix is projected and put on the device; samples that are read in batches are left alone."""
    X, start_input = problem.X, problem.start_input
    if isinstance(X, Samples):
        assert start_input is not None
        return Prepared(X, start_input, start_input.matrix, None, X.n_features, is_matrix=False)
    projection = None
    if config.n_pcs is not None and X.shape[1] > config.n_pcs:
        projection = fit_projection(X, config.n_pcs, rng)
    space = in_memory(X) if projection is None else projection(X)
    start_input = start_input or StartInput(in_memory(X), "embedding")
    return Prepared(as_samples(space, device), start_input, space, projection, X.shape[1], is_matrix=True)
