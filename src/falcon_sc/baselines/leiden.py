"""Leiden inside each coarse class, at one resolution for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import check_int
from falcon_sc.baselines._inside import CoarseClasses, as_scores
from falcon_sc.baselines._voting import VotingBaseline
from falcon_sc.core.settings.ranges import generator_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

_RESOLUTIONS = (1e-3, 1e2)  # from one cluster in each connected component to dozens of cells in a cluster
_MAX_STEPS = 25  # halvings of the interval of log resolutions: to a relative width of 1e-6
_N_ITERATIONS = 2  # of Leiden: its own default; run to convergence, the scores hardly change


class FairLeiden(VotingBaseline):
    """Leiden inside each coarse class with one common resolution: the loop over cell types that people write today.

    Leiden :cite:p:`Traag2019` on a graph of nearest neighbors inside each coarse class (Euclidean, symmetric, without
    weights), modularity with a resolution that is bisected until the total is `n_fine`. The number of clusters jumps with
    the resolution; where no step hits `n_fine` the nearest total that was met is kept, and `n_per_class_.sum()` tells it.

    Parameters
    ----------
    n_fine
        Total number of fine classes.
    n_neighbors
        Neighbors of a sample; 15 is scanpy's default. Smaller coarse classes use all their samples.
    rng
        Seed or generator; the same seed gives the same labels.

    Attributes
    ----------
    labels_ : int64, (N,)
        Fine class of each sample: codes by coarse class, then by falling size inside it.
    n_per_class_ : int64, (K_C,)
        Number of fine classes of each coarse class.
    coarse_names_ : (K_C,)
        Coarse classes.
    resolution_ : float
        The common resolution, after bisection.

    Examples
    --------
    >>> import numpy as np
    >>> from falcon_sc.baselines import FairLeiden
    >>> scores = np.random.default_rng(0).normal(size=(60, 5))
    >>> model = FairLeiden(8).fit(scores, np.repeat(["a", "b"], 30))
    >>> int(model.n_per_class_.sum())
    8
    """

    def __init__(self, n_fine: int, *, n_neighbors: int = 15, rng: int | np.random.Generator | None = 0) -> None:
        self.n_fine = n_fine
        self.n_neighbors = n_neighbors
        self.rng = rng

    def fit(self, X: NDArray[np.floating[Any]], coarse: ArrayLike) -> Self:
        """Cluster the samples of each coarse class.

        Parameters
        ----------
        X
            Dense, (N, d): scores of principal components (50 in the benchmarks).
        coarse
            Coarse label of each sample, (N,), none missing.

        Returns
        -------
        The fitted model.

        Raises
        ------
        ImportError
            If leidenalg or igraph is not installed.
        TypeError, ValueError
            If `X` is no finite dense matrix, or `n_fine` cannot be had with these classes and samples, or is a mapping: one resolution gives no
            chosen numbers.
        """
        X = as_scores(X)
        classes, total = self._classes_and_total(X, coarse)
        igraph, leidenalg = _load_leiden()
        seed = int(generator_of(self.rng).integers(2**31))
        graphs = [igraph.Graph(len(rows), _edges(X[rows], self.n_neighbors)) for rows in classes.members]

        def cluster(resolution: float) -> list[NDArray[np.int64]]:
            partitions = (
                leidenalg.find_partition(
                    graph,
                    leidenalg.RBConfigurationVertexPartition,  # modularity, as in scanpy
                    resolution_parameter=resolution,
                    n_iterations=_N_ITERATIONS,
                    seed=seed,
                )
                for graph in graphs
            )
            return [np.asarray(partition.membership, dtype=np.int64) for partition in partitions]

        best = _bisect(cluster, total)
        self.resolution_ = best.resolution
        self.labels_, self.n_per_class_ = classes.join(best.parts)
        self.coarse_names_ = classes.names
        self._remember(X, classes)
        return self

    def _classes_and_total(self, X: Any, coarse: ArrayLike) -> tuple[CoarseClasses, int]:
        """The coarse classes and `n_fine`, where they and Leiden can be had; of `X` only the number of samples is read."""
        _load_leiden()
        check_int(self.n_neighbors, "n_neighbors")
        classes = CoarseClasses.of(X, coarse, self.n_fine)
        if not isinstance(classes.budget, int):
            msg = f"n_fine={self.n_fine!r}: give the total; one resolution for all coarse classes cannot hit chosen numbers."
            raise TypeError(msg)
        return classes, classes.budget


@dataclass(frozen=True)
class _Found:
    resolution: float
    parts: list[NDArray[np.int64]]  # labels of the samples of each coarse class

    @property
    def total(self) -> int:
        return sum(int(part.max()) + 1 for part in self.parts)


def _bisect(cluster: Callable[[float], list[NDArray[np.int64]]], total: int) -> _Found:
    """The clustering whose number of clusters is nearest to `total`, of those at the resolutions that were tried."""
    low, high = np.log(_RESOLUTIONS)
    tried: list[_Found] = []
    for _ in range(_MAX_STEPS):
        middle = (low + high) / 2
        tried.append(_Found(float(np.exp(middle)), cluster(float(np.exp(middle)))))
        if tried[-1].total == total:
            break
        low, high = (middle, high) if tried[-1].total < total else (low, middle)
    return min(tried, key=lambda candidate: abs(candidate.total - total))


def _edges(X: NDArray[np.floating[Any]], n_neighbors: int) -> NDArray[np.int64]:
    """Pairs of samples, (m, 2), of which one is among the nearest of the other; each pair once."""
    from sklearn.neighbors import kneighbors_graph

    if len(X) == 1:
        return np.empty((0, 2), dtype=np.int64)
    near = kneighbors_graph(X, min(n_neighbors, len(X) - 1)).tocoo()
    pairs = np.sort(np.column_stack((near.row, near.col)), axis=1)
    return np.unique(pairs, axis=0).astype(np.int64)


def _load_leiden() -> tuple[ModuleType, ModuleType]:
    try:
        import igraph
        import leidenalg
    except ImportError as error:
        error.add_note("Leiden comes with scanpy: pip install 'scanpy[leiden]'")
        raise
    return igraph, leidenalg
