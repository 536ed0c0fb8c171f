"""Are the clusters learned from one half of the cells those learned from the other half?

A clustering that rests on the structure of a class comes back when other cells of it are taken; one that cuts a
continuum, or fits noise, is drawn elsewhere (prediction strength, Tibshirani and Walther 2005).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.start.mixtures.em import batches
from falcon_sc.core.start.mixtures.tied import fit_mixtures

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
    halves = [
        half
        for normalization, n_dims in REPRESENTATIONS
        if normalization in representations.scores
        for half in _halves(representations.components(normalization, n_dims)[representations.fit_cells], rng)
    ]
    return np.asarray([_agreement(halves, k, rng) for k in ks])


def _halves(X: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """`N_SPLITS` times the rows of X in two halves of one size, (2, n / 2, d) each; of an odd number one row is left out."""
    half = len(X) // 2
    return [X[rng.permutation(len(X))[: 2 * half]].reshape(2, half, -1) for _ in range(N_SPLITS)]


def _agreement(halves: Sequence[np.ndarray], k: int, rng: np.random.Generator) -> float:
    """Mean adjusted Rand index of the clusters of two halves, on the second."""
    from sklearn.metrics import adjusted_rand_score

    indices = []
    for own, X in batches([both.reshape(-1, both.shape[2]) for both in halves], k):
        both = X.reshape(2 * len(own), -1, X.shape[2])
        second = np.repeat(both[1::2], 2, axis=0)  # the second half of each pair, for the mixtures of either
        labels = fit_mixtures(both, k, rng).predict(second)
        indices += [
            adjusted_rand_score(own_labels, taught)
            for taught, own_labels in zip(labels[::2], labels[1::2], strict=True)
        ]
    return float(np.mean(indices))
