"""Nearest neighbors of each sample inside its own coarse class: the set N(x, y_c) of eq. 4."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch

from falcon_sc.core.runtime import forks
from falcon_sc.core.runtime.compiled_code import says_where_to_keep_it
from falcon_sc.core.runtime.surroundings import undisturbed
from falcon_sc.core.runtime.threads import torch_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from falcon_sc.core.config import Metric

# Largest class searched exactly, from `falcon-sc bench neighbors`: below it, exact search takes no longer than the
# half minute for which pynndescent compiles when a process first calls it.
EXACT_MAX = 60_000
_CHUNK_ELEMENTS = 2**23  # of the similarity matrix held at once: 32 MiB of float32


class Neighbors(NamedTuple):
    """`indices` int64 (N, L) into all samples, nearest first; `distances` float32 (N, L)."""

    indices: NDArray[np.int64]
    distances: NDArray[np.float32]


@undisturbed()
def neighbors_within_classes(
    X: Any,
    codes: NDArray[np.int64],
    n_neighbors: int,
    *,
    metric: Metric = "cosine",
    device: torch.device | str = "cpu",
    exact_max: int = EXACT_MAX,
    n_jobs: int | None = None,
    rng: np.random.Generator | int | None = 0,
) -> Neighbors:
    """Nearest neighbors of each sample among the other samples of its class.

    Parameters
    ----------
    X
        Samples, (N, features): numpy array or scipy sparse matrix.
    codes
        Class of each sample, (N,). Samples with a negative code get themselves.
    n_neighbors
        `L`. A class with fewer than `L + 1` samples repeats its neighbors in turn; a lone sample gets itself.
    metric
        `"cosine"` (published code) or `"euclidean"`.
    device
        Where the exact search runs.
    exact_max
        Classes with more samples are searched approximately, with pynndescent.
    n_jobs
        Threads of the approximate search; `None` or -1: one a core.
    rng
        Seed of the approximate search.

    Returns
    -------
    Neighbors
        Indices and distances. Cosine distance is `1 - cos`.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [0.1, 1.0], [1.0, 0.1]])
    >>> neighbors_within_classes(X, np.array([0, 1, 0, 1]), 1).indices.ravel()
    array([2, 3, 0, 1])
    """
    forks.do_without_lost_threads()
    rng = np.random.default_rng(rng)
    n_samples = X.shape[0]
    indices = np.repeat(np.arange(n_samples)[:, None], n_neighbors, axis=1)
    distances = np.zeros((n_samples, n_neighbors), dtype=np.float32)
    for code in np.unique(codes[codes >= 0]):
        members = np.flatnonzero(codes == code)
        n_others = min(n_neighbors, len(members) - 1)
        if n_others > 0:
            if len(members) <= exact_max:
                local, distance = _exact(_dense_rows(X, members), n_others, metric, torch.device(device))
            else:
                local, distance = _approximate(X[members], n_others, metric, n_jobs, rng)
            turn = np.arange(n_neighbors) % n_others
            indices[members] = members[local][:, turn]
            distances[members] = distance[:, turn]
    return Neighbors(indices, distances)


def check_search(codes: NDArray[np.int64]) -> None:
    """Say at once, not after hours of start, why a search among so many samples is not possible here.

    Raises
    ------
    RuntimeError
        If numba, which compiles the approximate search, has no threads or no folder here.
    """
    if np.bincount(codes[codes >= 0]).max(initial=0) > EXACT_MAX:
        _descent()


def _descent() -> Any:
    """The approximate search of pynndescent."""
    forks.check_numba_threads(f"The search for neighbors among more than {EXACT_MAX} cells (pynndescent)")
    with says_where_to_keep_it("pynndescent"):
        from pynndescent import NNDescent

    return NNDescent


def _dense_rows(X: Any, members: NDArray[np.int64]) -> Tensor:
    block = X[members]
    return torch.from_numpy(np.ascontiguousarray(block.toarray() if sp.issparse(block) else block, dtype=np.float32))


def _exact(
    block: Tensor, n_neighbors: int, metric: Metric, device: torch.device
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """All pairs of one class, a chunk of rows at a time, in memory that is taken once: chunks that come and go leave holes."""
    block = block.to(device)
    if metric == "cosine":
        block = torch.nn.functional.normalize(block, dim=1)
    squares = (block * block).sum(dim=1)
    chunk = max(1, _CHUNK_ELEMENTS // len(block))
    indices = torch.empty((len(block), n_neighbors), dtype=torch.int64)
    distances = torch.empty((len(block), n_neighbors))
    memory = torch.empty((chunk, len(block)), device=device)
    for begin in range(0, len(block), chunk):
        rows = block[begin : begin + chunk]
        distance = memory[: len(rows)]
        if metric == "cosine":
            torch.mm(rows, block.T, out=distance)
            distance.neg_().add_(1)
        else:
            torch.addmm(squares, rows, block.T, alpha=-2, out=distance)
            distance += squares[begin : begin + chunk, None]
        own = torch.arange(len(rows), device=device)
        distance[own, own + begin] = torch.inf
        distances[begin : begin + chunk], indices[begin : begin + chunk] = distance.topk(
            n_neighbors, dim=1, largest=False
        )
    distances.clamp_min_(0)
    if metric == "euclidean":
        distances.sqrt_()
    return indices.numpy(), distances.numpy()


def _approximate(
    block: Any, n_neighbors: int, metric: Metric, n_jobs: int | None, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    seed = int(rng.integers(2**31))
    # one more, because a sample finds itself; not always first when there are duplicates
    with torch_threads():
        graph = _descent()(
            block,
            metric=metric,
            n_neighbors=n_neighbors + 1,
            random_state=seed,
            low_memory=True,
            n_jobs=forks.threads_left(n_jobs),
        )
        indices, distances = graph.neighbor_graph
    itself = indices == np.arange(len(indices))[:, None]
    itself[~itself.any(axis=1), -1] = True
    keep = ~itself
    shape = (len(indices), n_neighbors)
    return indices[keep].reshape(shape).astype(np.int64), distances[keep].reshape(shape).astype(np.float32)
