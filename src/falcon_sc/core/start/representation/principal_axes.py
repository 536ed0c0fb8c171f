"""Leading principal axes, by the method that is the faster one for the shape, and whether one of them stands out."""

from __future__ import annotations

import numpy as np
from scipy import linalg

EXACT_UP_TO = 600  # min(cells, genes) up to which an exact eigendecomposition is the faster one

# Where one axis of the log values has this many times the variance of the next, it is what tells the types of a coarse class
# apart, or the line along which its cells mature (ours, measured on eight sets of cells): the scale of the genes says
# something there, as that of markers does.
LEADING = 2.0


def principal_axes(centered: np.ndarray, n_axes: int) -> np.ndarray:
    """Leading axes (p x n_axes, float32, at least one) of centered n x p data, the same ones every time."""
    n, p = centered.shape
    n_axes = max(1, min(n_axes, n - 1, p))
    if min(n, p) <= EXACT_UP_TO:
        gram = (centered @ centered.T if n <= p else centered.T @ centered).astype(np.float64)
        values, vectors = linalg.eigh(gram, subset_by_index=(len(gram) - n_axes, len(gram) - 1))
        vectors = vectors[:, ::-1]
        if n <= p:
            vectors = centered.T @ (vectors / np.sqrt(np.maximum(values[::-1], 1e-12))).astype(np.float32)
        return np.asarray(vectors, dtype=np.float32)
    from sklearn.utils.extmath import randomized_svd

    axes = randomized_svd(centered, n_axes, n_iter=2, random_state=0)[2]
    return np.asarray(axes.T, dtype=np.float32)


def one_axis_leads(scores: np.ndarray) -> bool:
    """Whether the first of the principal components (n x d) has more than `LEADING` times the variance of the second."""
    variances = scores[:, :2].var(axis=0, dtype=np.float64)
    return bool(len(variances) > 1 and variances[0] > LEADING * variances[1])
