"""Are the clusters of one half of the counts there in the other half?

Binomial thinning splits every count in two; given the expression of a cell the halves are (for Poisson counts)
independent. Clusters found in one half that only fit its noise do not show in the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from falcon_sc.core.start.mixtures.em import batches, one_hot, ridge
from falcon_sc.core.start.mixtures.merging import merge_down
from falcon_sc.core.start.representation.class_representations import class_representations
from falcon_sc.core.start.representation.normalizations import pseudo_counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from falcon_sc.core.start.input import Kind
    from falcon_sc.core.start.representation.class_representations import ClassRepresentations

REPRESENTATIONS = (("scaled", 15), ("pearson", 15))
N_SPLITS = 2  # with one, the numbers of classes hang on how the molecules fell
MAX_CELLS = 1000  # a curve needs no more; its cost is that of fitting every k in every representation twice


def reproducibility(
    rows: np.ndarray | sparse.csr_matrix, kind: Kind, ks: Sequence[int], rng: np.random.Generator, *, n_genes: int
) -> NDArray[np.float64]:
    """How tight the clusters of one half of the counts are in the other half, for each number of clusters.

    Parameters
    ----------
    rows
        n x genes, the cells of a coarse class: counts, or log-normalized values that counts can be recovered from.
    kind
        What `rows` holds.
    ks
        Numbers of clusters.
    rng
        Draws the halves, the cells and the starts.
    n_genes
        Genes chosen in each half.

    Returns
    -------
    (2 * splits * representations, len(ks)): minus half the log determinant of the pooled covariance within clusters (nats a cell).
    """
    counts = sparse.csr_matrix(rows if kind == "counts" else pseudo_counts(rows))
    n_cells = min(counts.shape[0], MAX_CELLS)
    curves = []
    for _ in range(N_SPLITS):
        cells = np.sort(rng.choice(counts.shape[0], n_cells, replace=False))
        halves = [
            class_representations(
                half,
                "counts",
                rng,
                n_genes=n_genes,
                max_cells=n_cells,
                normalizations={name for name, _ in REPRESENTATIONS},
                n_components=max(d for _, d in REPRESENTATIONS),
            )
            for half in halve(counts[cells], rng)
        ]
        for clustered, judged in (halves, halves[::-1]):
            curves.append(_tightness_of_clusters(clustered, judged, ks, rng))
    return np.concatenate(curves)


def _tightness_of_clusters(
    clustered: ClassRepresentations, judged: ClassRepresentations, ks: Sequence[int], rng: np.random.Generator
) -> NDArray[np.float64]:
    """How tight, in the half `judged`, the clusters of the half `clustered` are: (representations, len(ks))."""
    found = [clustered.components(*name) for name in REPRESENTATIONS]
    seen = [judged.components(*name) for name in REPRESENTATIONS]
    curves = np.empty((len(REPRESENTATIONS), len(ks)))
    for own, X in batches(found, max(ks)):
        Y = np.stack([seen[i] for i in own]).astype(np.float64)
        mixtures = merge_down(X, ks, rng).mixtures
        curves[own] = np.stack([tightness(Y, m.predict(X), k) for m, k in zip(mixtures, ks, strict=True)], axis=1)
    return curves


def halve(counts: sparse.csr_matrix, rng: np.random.Generator) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Two matrices that add up to `counts`: every molecule goes to either with probability 1/2."""
    whole = np.rint(counts.data).astype(np.int64)
    first, second = counts.astype(np.float32), counts.astype(np.float32)
    first.data = rng.binomial(whole, 0.5).astype(np.float32)
    second.data = whole.astype(np.float32) - first.data
    for half in (first, second):
        half.eliminate_zeros()
    return first, second


def tightness(X: NDArray[np.float64], labels: np.ndarray, n_clusters: int) -> NDArray[np.float64]:
    """-log det(W) / 2 of the unbiased pooled covariance W of b data sets (b, n, d) within `labels` (b, n); the ridge keeps it finite."""
    _, n, d = X.shape
    members = one_hot(labels, n_clusters, X.dtype)  # b x k x n
    sizes = members.sum(axis=2)[:, :, None]
    sums = members @ X  # b x k x d
    within = X.transpose(0, 2, 1) @ X - (sums / np.maximum(sizes, 1)).transpose(0, 2, 1) @ sums
    covariance = within / max(n - n_clusters, 1) + ridge(X)[:, None, None] * np.eye(d)
    return np.asarray(-np.linalg.slogdet(covariance)[1] / 2)
