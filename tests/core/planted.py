"""Planted structure for the tests of the core: blobs inside blobs, as an embedding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Planted:
    X: np.ndarray  # (N, d) float32
    coarse: np.ndarray  # (N,) str
    fine: np.ndarray  # (N,) int
    parent: np.ndarray  # (K_F,) coarse code of each fine class


def planted(children=(3, 1, 2), size=60, n_dims=12, spread=0.35, seed=0) -> Planted:
    """Fine classes of unequal size under coarse classes with the given numbers of children."""
    rng = np.random.default_rng(seed)
    parent = np.repeat(np.arange(len(children)), children)
    coarse_centers = rng.normal(0, 3, (len(children), n_dims))
    centers = coarse_centers[parent] + rng.normal(0, 1, (len(parent), n_dims))
    sizes = (size * rng.uniform(0.5, 1.5, len(parent))).astype(int)
    fine = rng.permutation(np.repeat(np.arange(len(parent)), sizes))
    X = centers[fine] + rng.normal(0, spread, (len(fine), n_dims))
    names = np.array([f"class {chr(97 + c)}" for c in range(len(children))])
    return Planted(X.astype(np.float32), names[parent[fine]], fine, parent)
