"""Are the clusters of one half of the counts there in the other half?

Binomial thinning splits every count in two; given the expression of a cell the halves are (for Poisson counts)
independent. Clusters found in one half that only fit its noise do not show in the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from falcon_sc.core.start.mixtures.em import batches
from falcon_sc.core.start.mixtures.merging import merge_down
from falcon_sc.core.start.representation.class_representations import class_representations
from falcon_sc.core.start.representation.normalizations import pseudo_counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from falcon_sc.core.start.input import Kind

REPRESENTATIONS = (("scaled", 15), ("pearson", 15))
N_SPLITS = 2  # with one, the evidence hangs on how the molecules fell
MAX_CELLS = 1000
COUNTED_CELLS, COUNTED_GENES = 500, 2000  # of the half in which markers are counted, at most


@dataclass(frozen=True)
class Molecules:
    """`counts`, CSR m x genes, of some `cells` of a coarse class, int64 m, its rows."""

    cells: NDArray[np.int64]
    counts: sparse.csr_matrix


@dataclass(frozen=True)
class Halves:
    """Clusters found in one half of the counts, and what the other half shows of the same cells; r runs.

    `cells`: int64 n, rows of the class. `labels`: int16 (r, K - 1, n), clusters of the one half, 2 to K of them.
    `scores`: float32 (r, n, d), representation of the other half. `counts`: uint16 (at most 500, at most 2,000), of the
    first run: the other half of its `counted_cells`, in the genes that vary most in the one half.
    """

    cells: NDArray[np.int64]
    labels: NDArray[np.int16]
    scores: NDArray[np.float32]
    counts: NDArray[np.uint16]


def drawn_cells(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The cells of n whose molecules are halved, sorted: all, or `MAX_CELLS` of them."""
    return np.arange(n) if n <= MAX_CELLS else np.sort(rng.choice(n, MAX_CELLS, replace=False))


def molecules(cells: NDArray[np.int64], rows: np.ndarray | sparse.csr_matrix, kind: Kind) -> Molecules:
    """Those of `cells`, whose `rows` hold counts, or log-normalized values that counts can be recovered from."""
    return Molecules(cells, sparse.csr_matrix(rows if kind == "counts" else pseudo_counts(rows)))


def counted_cells(n: int) -> NDArray[np.int64]:
    """The cells of n in which markers are counted: evenly spaced, since cells often lie in order, of donors for instance."""
    return np.linspace(0, n - 1, min(n, COUNTED_CELLS)).astype(np.int64)


def halved(whole: Molecules, most_clusters: int, rng: np.random.Generator, *, n_genes: int) -> Halves:
    """Clusters of the halves of molecules, 2 to `most_clusters`, in `n_genes` genes chosen in each half: 2 x splits x representations runs."""
    n_cells = len(whole.cells)
    ks = range(2, max(2, min(most_clusters, n_cells)) + 1)
    clustered: list[np.ndarray] = []
    scores: list[np.ndarray] = []
    counted: NDArray[np.uint16] | None = None
    for _ in range(N_SPLITS):
        both = halve(whole.counts, rng)
        if counted is None:
            counted = _counted(*both)
        one, other = (
            class_representations(
                half,
                "counts",
                rng,
                n_genes=n_genes,
                max_cells=n_cells,
                normalizations={name for name, _ in REPRESENTATIONS},
                n_components=max(d for _, d in REPRESENTATIONS),
            )
            for half in both
        )
        for own, judged in ((one, other), (other, one)):
            clustered += [own.components(*name) for name in REPRESENTATIONS]
            scores += [judged.components(*name) for name in REPRESENTATIONS]
    assert counted is not None
    return Halves(whole.cells, np.stack(_clusters(clustered, ks, rng)), _side_by_side(scores), counted)


def _clusters(matrices: Sequence[np.ndarray], ks: Sequence[int], rng: np.random.Generator) -> list[NDArray[np.int16]]:
    """Clusters of the rows of each matrix (n x d), for every k: (len(ks), n)."""
    labels: list[NDArray[np.int16]] = [np.empty((0, 0), dtype=np.int16)] * len(matrices)
    for own, X in batches(matrices, max(ks)):
        of_k = np.stack([mixtures.predict(X) for mixtures in merge_down(X, ks, rng).mixtures], axis=1)
        for i, found in zip(own, of_k, strict=True):
            labels[int(i)] = found
    return labels


def _side_by_side(scores: Sequence[np.ndarray]) -> NDArray[np.float32]:
    """One array (r, n, d) of matrices (n x d or less), with zeros where one has fewer columns."""
    together = np.zeros((len(scores), len(scores[0]), max(own.shape[1] for own in scores)), dtype=np.float32)
    for block, own in zip(together, scores, strict=True):
        block[:, : own.shape[1]] = own
    return together


def _counted(one: sparse.csr_matrix, other: sparse.csr_matrix) -> NDArray[np.uint16]:
    """The `other` half of some cells, in the genes whose counts vary most, for their mean, in the `one` half."""
    n = one.shape[0]
    sums = np.asarray(one.sum(axis=0), dtype=np.float64).ravel()
    squares = np.asarray(one.multiply(one).sum(axis=0), dtype=np.float64).ravel()
    ratio = (squares - sums**2 / n) / np.maximum(sums, 1)
    genes = np.sort(np.argsort(-ratio, kind="stable")[:COUNTED_GENES])
    counts = np.minimum(other[counted_cells(n)][:, genes].toarray(), np.iinfo(np.uint16).max)
    return np.asarray(counts, dtype=np.uint16)


def halve(counts: sparse.csr_matrix, rng: np.random.Generator) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Two matrices that add up to `counts`: every molecule goes to either with probability 1/2."""
    whole = np.rint(counts.data).astype(np.int64)
    first, second = counts.astype(np.float32), counts.astype(np.float32)
    first.data = rng.binomial(whole, 0.5).astype(np.float32)
    second.data = whole.astype(np.float32) - first.data
    for half in (first, second):
        half.eliminate_zeros()
    return first, second
