"""Nearest neighbors inside each coarse class, as a graph that scanpy understands."""

from __future__ import annotations

import logging
import warnings
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from falcon_sc._blocks import columns_of
from falcon_sc._checks import check_adata, check_int, of_pandas
from falcon_sc._embeddings import read_embedding
from falcon_sc._expression import read_continuous, read_expression
from falcon_sc._kinds import check_values
from falcon_sc._labels import read_labels, warn_missing
from falcon_sc._log import show_log
from falcon_sc._written import GRAPH, check_free
from falcon_sc.core.data.rows import in_memory
from falcon_sc.core.runtime import forks
from falcon_sc.core.runtime.compiled_code import says_where_to_keep_it

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from falcon_sc._kinds import Values
    from falcon_sc.core.config import Metric

    type _Pieces = tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]  # data, rows, columns

logger = logging.getLogger(__name__)

_METRIC: Metric = "cosine"
_SELECTED = "falcon_highly_variable"


def neighbors_within(
    adata: AnnData,
    coarse_key: str,
    *,
    n_neighbors: int = 20,
    use_rep: str | None = None,
    layer: str | None = None,
    values: Values | None = None,
    key_added: str = "falcon_neighbors",
    copy: bool = False,
) -> AnnData | None:
    """Find the nearest neighbors of every cell among the cells of its own coarse class.

    A neighbor graph of the whole data set, cut to one class, loses the neighbors that lay
    outside it. This graph is computed inside each class instead and has no edge between classes.

    Distances are cosine distances (published code), over the embedding `use_rep` or over log-normalized genes: those that
    :func:`falcon_sc.pp.select_genes` marked in ``adata.var["falcon_highly_variable"]`` (as in the
    paper), all genes where nothing is marked. Weights are those of UMAP
    (:func:`umap.umap_.fuzzy_simplicial_set`), computed class by class. Classes of more than 60,000 cells are searched
    approximately :cite:p:`Dong2011`.

    Parameters
    ----------
    adata
        Annotated data, n_obs x n_vars.
    coarse_key
        Column of ``adata.obs`` with the coarse labels. Cells without a label get no neighbors.
    n_neighbors
        Neighbors of a cell, itself not counted. 20 is L of the paper. A class with fewer cells
        than ``n_neighbors + 1`` has all of them as neighbors.
    use_rep
        Embedding in ``adata.obsm`` to use instead of genes.
    layer
        Layer to read instead of ``adata.X``.
    values
        What the matrix holds, where what is recognized is wrong: see :func:`falcon_sc.tl.discover`.
    key_added
        Name of the graph.
    copy
        Work on a copy and return it.

    Returns
    -------
    None if ``copy=False``, else the copy. Sets the following fields:

    ``adata.obsp[f"{key_added}_distances"]`` : :class:`scipy.sparse.csr_matrix`, float32, n_obs x n_obs
        Distance from a cell (row) to its neighbors.
    ``adata.obsp[f"{key_added}_connectivities"]`` : :class:`scipy.sparse.csr_matrix`, float32, n_obs x n_obs
        Weights in [0, 1], symmetric.
    ``adata.uns[key_added]`` : dict
        The two keys and the parameters, so that ``sc.tl.umap(adata, neighbors_key=key_added)``
        and ``sc.tl.leiden(adata, neighbors_key=key_added)`` work.

    Raises
    ------
    KeyError
        `coarse_key`, `use_rep` or `layer` is not in `adata`.
    TypeError
        `adata` is no AnnData, `n_neighbors` no int, or a key no name; a matrix or an embedding that holds no numbers.
    ValueError
        `use_rep` is given with `layer` or `values`; wrong values in the matrix; ``adata.var["falcon_highly_variable"]``
        holds missing values, or marks no gene; `adata` is empty; `key_added` names something that
        this function did not write.
    RuntimeError
        Numba finds no folder for its compiled code, or the process was forked from one with threads of numba.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> adata = fsc.datasets.pbmc68k_reduced()
    >>> fsc.pp.neighbors_within(adata, "coarse", n_neighbors=10)
    >>> adata.obsp["falcon_neighbors_distances"].shape
    (700, 700)
    """
    show_log()
    check_adata(adata, copy=copy, genes=use_rep is None)
    check_free(adata, key_added, GRAPH)
    n_neighbors = check_int(n_neighbors, "n_neighbors")
    labels = read_labels(adata, coarse_key, "coarse_key")
    check_values(values)
    _check_choice(use_rep, layer, values)
    _umap()  # before any work
    adata = adata.copy() if copy else adata  # first: where there is no memory for it, no work is lost
    points = _points(adata, use_rep, layer, values)
    warn_missing(labels, coarse_key, "coarse_key", "they get no neighbors")

    distances, connectivities = _graph(points[labels.known], labels.codes, n_neighbors)
    place = np.flatnonzero(labels.known)

    keys = {"distances_key": f"{key_added}_distances", "connectivities_key": f"{key_added}_connectivities"}
    params = {"n_neighbors": n_neighbors + 1, "method": "umap", "metric": _METRIC, "coarse_key": coarse_key}
    params["falcon_sc"] = version("falcon-sc")
    if use_rep is not None:
        params["use_rep"] = use_rep
    adata.obsp[keys["distances_key"]] = _embed(distances, place, adata.n_obs)
    adata.obsp[keys["connectivities_key"]] = _embed(connectivities, place, adata.n_obs)
    adata.uns[key_added] = {**keys, "params": params}
    return adata if copy else None


def _check_choice(use_rep: str | None, layer: str | None, values: Values | None) -> None:
    for name, given in {"layer": layer, "values": values}.items():
        if use_rep is not None and given is not None:
            msg = f"use_rep={use_rep!r} and {name}={given!r} were both given: choose one."
            raise ValueError(msg)


def _points(
    adata: AnnData, use_rep: str | None, layer: str | None, values: Values | None
) -> np.ndarray | sparse.csr_matrix:
    """Coordinates in which distances are measured, n_obs rows."""
    if use_rep is not None:
        return read_embedding(adata, use_rep)
    genes = None
    if _SELECTED in adata.var:
        genes = _marked(of_pandas(adata.var[_SELECTED]))
        logger.info("distances over the %d genes marked in adata.var[%r]", genes.sum(), _SELECTED)
    if values == "continuous":
        matrix = read_continuous(adata, layer)
        return in_memory(matrix if genes is None else columns_of(matrix, genes))
    return in_memory(read_expression(adata, layer, values).log_normalized(genes))


def _marked(mark: pd.Series) -> np.ndarray:
    """bool, n_vars: the marked genes."""
    place = f"adata.var[{_SELECTED!r}]"
    again = f"mark genes anew (del {place}, then falcon_sc.pp.select_genes) or fill it with True and False."
    if mark.isna().any():
        msg = (
            f"{place} is missing (NA) for {int(mark.isna().sum())} of {len(mark)} genes, as anndata.concat leaves it "
            f"for genes that one of the objects did not have: {again}"
        )
        raise ValueError(msg)
    if not mark.isin([True, False]).all():
        msg = f"{place} holds {mark[~mark.isin([True, False])].iloc[0]!r}, which is neither True nor False: {again}"
        raise ValueError(msg)
    genes: np.ndarray = mark.to_numpy(dtype=bool)
    if not genes.any():
        msg = f"{place} marks no gene: {again}"
        raise ValueError(msg)
    return genes


def _graph(points: Any, codes: np.ndarray, n_neighbors: int) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Distances and UMAP's weights, one class at a time because classes differ in their number of neighbors."""
    from falcon_sc.core.data.neighbors import neighbors_within_classes

    indices, distances = neighbors_within_classes(points, codes, n_neighbors, metric=_METRIC)
    lengths: _Pieces = [], [], []
    weights: _Pieces = [], [], []
    for code in range(codes.max() + 1):
        members = np.flatnonzero(codes == code)
        # Classes with too few cells repeat their neighbors to fill the row: keep each once.
        n_real = min(n_neighbors, members.size - 1)
        if n_real == 0:
            continue
        neighbors, near = indices[members, :n_real], distances[members, :n_real]
        _append(lengths, near.ravel(), np.repeat(members, n_real), neighbors.ravel())
        weight = _umap_weights(np.searchsorted(members, neighbors), near).tocoo()
        _append(weights, weight.data, members[weight.row], members[weight.col])
    shape = (codes.size, codes.size)
    return _matrix(lengths, shape), _matrix(weights, shape)


def _append(pieces: _Pieces, data: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> None:
    for part, values in zip(pieces, (data, rows, columns), strict=True):
        part.append(values)


def _matrix(pieces: _Pieces, shape: tuple[int, int]) -> sparse.csr_matrix:
    """One float32 CSR matrix from the pieces of all classes."""
    data, rows, columns = (np.concatenate([np.empty(0, dtype=np.intp), *part]) for part in pieces)
    return sparse.csr_matrix((data.astype(np.float32), (rows, columns)), shape=shape)


def _umap() -> Any:
    """UMAP's fuzzy graph."""
    forks.check_numba_threads("The graph of UMAP")
    with warnings.catch_warnings(), says_where_to_keep_it("umap"):
        # umap announces on import that its optional dependency is missing
        warnings.filterwarnings("ignore", message="Tensorflow not installed", category=ImportWarning)
        from umap.umap_ import fuzzy_simplicial_set

    return fuzzy_simplicial_set


def _umap_weights(neighbors: np.ndarray, distances: np.ndarray) -> sparse.csr_matrix:
    """UMAP's weights; it counts the cell itself as the first neighbor."""
    n_cells, n_real = neighbors.shape
    indices = np.column_stack([np.arange(n_cells), neighbors])
    lengths = np.column_stack([np.zeros(n_cells), distances]).astype(np.float32)
    nothing = sparse.coo_matrix((n_cells, 1))  # only its number of rows is read
    from falcon_sc.core.runtime.threads import torch_threads

    with torch_threads():  # umap computes with numba
        return _umap()(nothing, n_real + 1, None, _METRIC, knn_indices=indices, knn_dists=lengths)[0]


def _embed(matrix: sparse.csr_matrix, place: np.ndarray, n_obs: int) -> sparse.csr_matrix:
    """Put a matrix over the labeled cells into one over all cells."""
    if place.size == n_obs:
        return matrix
    coo = matrix.tocoo()
    return sparse.csr_matrix((coo.data, (place[coo.row], place[coo.col])), shape=(n_obs, n_obs))
