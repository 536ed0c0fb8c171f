"""Contrastive principal components: what varies inside one coarse class and not in the same way inside the others.

Much of what varies inside a coarse class varies inside every coarse class: sequencing depth, stress, the cell cycle.
It says little about the types of this one. The coarse labels show it: the covariance inside the other classes is the
background of Abid et al. (2018), "Exploring patterns enriched in a dataset with contrastive principal component
analysis", and is taken off the covariance inside this class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg

if TYPE_CHECKING:
    from scipy import sparse

MIN_CELLS = 30  # of another class: fewer say little about a covariance
CELLS_PER_CLASS = 400  # at most, of each other class: several for each of the 60 axes they are seen in
CELLS = 1500  # at most, of all other classes together: 25 for each of the axes


@dataclass(frozen=True)
class Background:
    """Cells of the other coarse classes: `rows` (m x genes) and the `codes` of their classes, int64 m."""

    rows: np.ndarray | sparse.csr_matrix
    codes: np.ndarray


def background_cells(coarse: np.ndarray, c: int) -> np.ndarray:
    """Sorted indices of cells of the classes other than `c`, about as many of each; none of classes that are too small.

    They are evenly spaced in their class rather than drawn: the numbers of classes need not hang on the draw.
    """
    sizes = np.bincount(coarse)
    classes = [o for o in range(len(sizes)) if o != c and sizes[o] >= MIN_CELLS]
    n_each = max(MIN_CELLS, min(CELLS_PER_CLASS, CELLS // max(len(classes), 1)))
    spaced = [np.linspace(0, sizes[o] - 1, min(int(sizes[o]), n_each)).astype(np.int64) for o in classes]
    taken = [np.flatnonzero(coarse == o)[own] for o, own in zip(classes, spaced, strict=True)]
    return np.sort(np.concatenate(taken)) if taken else np.zeros(0, dtype=np.int64)


def contrasted_directions(own: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Orthonormal d x d, columns by falling contrast: eigenvectors of own / tr(own) - others / tr(others).

    `own`, `others`: covariances (d x d) inside the class and inside the others. One part of the background is taken off
    for one part of the class (alpha = 1 where both have the same trace): half or twice
    as much gave labels about as good on real cells.
    """
    shares = [matrix / max(float(np.trace(matrix)), 1e-12) for matrix in (own, others)]
    vectors = linalg.eigh(shares[0] - shares[1])[1]
    return np.asarray(vectors[:, ::-1])
