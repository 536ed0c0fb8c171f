"""Are the clusters of one half of the counts there in the other half?

Binomial thinning splits every count in two; given the expression of a cell the halves are (for Poisson counts)
independent. Clusters found in one half that only fit its noise do not show in the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from falcon_sc.core.start.mixtures.em import ridge
from falcon_sc.core.start.mixtures.merging import merge_down
from falcon_sc.core.start.representation.class_representations import class_representations
from falcon_sc.core.start.representation.normalizations import pseudo_counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from falcon_sc.core.start.input import Kind
    from falcon_sc.core.start.representation.class_representations import ClassRepresentations

REPRESENTATIONS = (("scaled", 10), ("scaled", 20), ("pearson", 10), ("pearson", 20))
N_SPLITS = 2  # with one, the numbers of classes hang on how the molecules fell
MAX_CELLS = 2000  # a curve needs no more; its cost is that of fitting every k in every representation twice


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
            curves += [_tightness_of_clusters(clustered, judged, *name, ks=ks, rng=rng) for name in REPRESENTATIONS]
    return np.asarray(curves)


def _tightness_of_clusters(
    clustered: ClassRepresentations,
    judged: ClassRepresentations,
    normalization: str,
    n_dims: int,
    *,
    ks: Sequence[int],
    rng: np.random.Generator,
) -> list[float]:
    """How tight, in the half `judged`, the clusters of the half `clustered` are, for each k."""
    X = clustered.components(normalization, n_dims)
    Y = judged.components(normalization, n_dims).astype(np.float64)
    mixtures = merge_down(X, ks, rng).mixtures
    return [tightness(Y, mixture.predict(X), k) for mixture, k in zip(mixtures, ks, strict=True)]


def halve(counts: sparse.csr_matrix, rng: np.random.Generator) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Two matrices that add up to `counts`: every molecule goes to either with probability 1/2."""
    whole = np.rint(counts.data).astype(np.int64)
    first, second = counts.astype(np.float32), counts.astype(np.float32)
    first.data = rng.binomial(whole, 0.5).astype(np.float32)
    second.data = whole.astype(np.float32) - first.data
    for half in (first, second):
        half.eliminate_zeros()
    return first, second


def tightness(X: NDArray[np.float64], labels: np.ndarray, n_clusters: int) -> float:
    """-log det(W) / 2 of the unbiased pooled covariance W of X (n x d) within `labels`; the ridge keeps it finite."""
    n, d = X.shape
    member = np.zeros((n_clusters, n))
    member[labels, np.arange(n)] = 1
    means = (member @ X) / np.maximum(member.sum(axis=1), 1)[:, None]
    within = X - means[labels]
    covariance = within.T @ within / max(n - n_clusters, 1) + ridge(X) * np.eye(d)
    return float(-np.linalg.slogdet(covariance)[1] / 2)
