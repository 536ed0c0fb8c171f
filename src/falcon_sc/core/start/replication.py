"""Are the clusters learned from one half of the cells those learned from the other half?

A clustering that rests on the structure of a class comes back when other cells of it are taken; one that cuts a
continuum, or fits noise, is drawn elsewhere (prediction strength, Tibshirani and Walther 2005).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.start.mixtures.tied import fit_mixture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from falcon_sc.core.start.representation.class_representations import ClassRepresentations

# One of each normalization, in few dimensions: half of the cells must do to find clusters in them.
REPRESENTATIONS = (("log", 10), ("scaled", 15), ("pearson", 10))
N_SPLITS = 2  # of each: one would hang on the halves that were drawn


def replication(
    representations: ClassRepresentations, ks: Sequence[int], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Agreement, on one half, of the clusters of the two halves, for each number of clusters.

    Parameters
    ----------
    representations
        Of one coarse class; the cells they were learned on are halved. The axes are those of all of them.
    ks
        Numbers of clusters, at most half the cells each.
    rng
        Draws the halves and the starts.

    Returns
    -------
    (len(ks),): adjusted Rand index, mean over representations and halvings.
    """
    curves = [
        [_adjusted_rand_index(first, second, k, rng) for k in ks]
        for normalization, n_dims in REPRESENTATIONS
        if normalization in representations.scores
        for first, second in _halves(representations.components(normalization, n_dims)[representations.fit_cells], rng)
    ]
    return np.asarray(np.mean(curves, axis=0))


def _halves(X: np.ndarray, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """`N_SPLITS` times the rows of X in two halves."""
    orders = [rng.permutation(len(X)) for _ in range(N_SPLITS)]
    return [(X[order[::2]], X[order[1::2]]) for order in orders]


def _adjusted_rand_index(first: np.ndarray, second: np.ndarray, k: int, rng: np.random.Generator) -> float:
    from sklearn.metrics import adjusted_rand_score

    taught, own = (fit_mixture(half, k, rng).predict(second) for half in (first, second))
    return float(adjusted_rand_score(own, taught))
