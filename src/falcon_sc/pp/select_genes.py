"""Highly variable genes, chosen the way the paper does it."""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._blocks import columns_of, sums_and_squares
from falcon_sc._checks import check_adata, check_int
from falcon_sc._expression import read_continuous, read_expression
from falcon_sc._kinds import check_values
from falcon_sc._labels import read_batch
from falcon_sc._log import show_log
from falcon_sc._on_disk.rows import StoredRows
from falcon_sc._written import GENES, check_free
from falcon_sc.core.data.rows import Rows, each_block, in_memory, of_rows
from falcon_sc.pp._scanpy_genes import most_variable_across_batches, one_batch_after_the_other, scanpy_table

if TYPE_CHECKING:
    from anndata import AnnData
    from scipy import sparse

    from falcon_sc._expression import Expression
    from falcon_sc._kinds import Values

logger = logging.getLogger(__name__)

# The paper keeps cells with at least 200 genes and genes found in at least 5 cells (scanpy's tutorial).
_MIN_GENES_OF_CELL = 200
_MIN_CELLS_OF_GENE = 5
_LOESS_SPANS = (0.3, 0.6, 1.0)  # scanpy's default first; wider where a small batch has too few genes for it


def select_genes(
    adata: AnnData,
    *,
    n_top_genes: int = 2000,
    layer: str | None = None,
    values: Values | None = None,
    batch_key: str | None = None,
    key_added: str = "falcon_highly_variable",
    copy: bool = False,
) -> AnnData | None:
    """Mark the highly variable genes on which fine classes are discovered.

    The genes come from :func:`scanpy.pp.highly_variable_genes` :cite:p:`Wolf2018`: flavor ``"seurat_v3"``
    :cite:p:`Stuart2019` on raw counts; log-normalized values are turned back into counts where that is possible, and go to
    flavor ``"seurat"`` otherwise. Genes without a single value are never chosen. With no more
    expressed genes than `n_top_genes` (targeted panels) all of them are marked, and the log says so.
    Of continuous values (``values="continuous"``) the columns with the largest variance are taken, inside batches.

    Cells with fewer than 200 genes and genes found in fewer than 5 cells, which the paper
    removes, are counted in the log and kept: what to remove is the user's decision.

    :func:`falcon_sc.tl.discover` does this by itself.

    Parameters
    ----------
    adata
        Annotated data, n_obs x n_vars: raw counts or log-normalized values, dense or sparse, in memory or on disk.
    n_top_genes
        How many genes to choose. 2,000 is the number of the paper.
    layer
        Layer to read instead of ``adata.X``.
    values
        What the matrix holds, where what is recognized is wrong: see :func:`falcon_sc.tl.discover`.
    batch_key
        Column of ``adata.obs``, e.g. the donor. Genes are chosen in each batch and those
        variable in most batches are taken, as in the paper. A batch of one cell has no say.
    key_added
        Column of ``adata.var`` to write.
    copy
        Work on a copy and return it.

    Returns
    -------
    None if ``copy=False``, else the copy. Sets the following fields:

    ``adata.var[key_added]`` : bool
        True for the chosen genes.
    ``adata.uns[key_added]`` : dict
        ``n_genes``, how many were chosen, and ``params``, plain scalars.

    Raises
    ------
    KeyError
        `layer` or `batch_key` is not in `adata`.
    TypeError
        `adata` is no AnnData, `n_top_genes` no int, or `batch_key` no name; a matrix that holds no numbers.
    ValueError
        The matrix holds NaN, inf, negative values or only zeros, or cannot hold what `values` says; `batch_key` has missing values, or another one for
        each cell; `adata` is empty; `n_top_genes` is below 1; `key_added` names something that
        neither this function nor :func:`falcon_sc.tl.discover` wrote.
    ImportError
        A matrix on disk, and no dask (the extra ``disk``).
    RuntimeError
        Numba finds no folder for its compiled code, or the process was forked from one with threads of numba.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> adata = fsc.datasets.pbmc68k_reduced()
    >>> fsc.pp.select_genes(adata, n_top_genes=300)
    >>> int(adata.var["falcon_highly_variable"].sum())
    300
    """
    show_log()
    check_adata(adata, copy=copy)
    check_free(adata, key_added, GENES)
    n_top_genes = check_int(n_top_genes, "n_top_genes")
    batch = None if batch_key is None else read_batch(adata, batch_key)
    check_values(values)
    adata = adata.copy() if copy else adata  # first: where there is no memory for it, no work is lost
    if values == "continuous":
        chosen = most_variable(read_continuous(adata, layer), n_top_genes, batch)
    else:
        chosen = choose_genes(read_expression(adata, layer, values), n_top_genes, batch)
    params = {"n_top_genes": n_top_genes, "layer": layer, "batch_key": batch_key, "falcon_sc": version("falcon-sc")}
    adata.var[key_added] = chosen
    adata.uns[key_added] = {
        "n_genes": int(chosen.sum()),
        "params": {name: value for name, value in params.items() if value is not None},
    }
    return adata if copy else None


def choose_genes(expression: Expression, n_top_genes: int, batch: np.ndarray | None) -> np.ndarray:
    """bool, n_vars: the genes to use."""
    _report_poor_cells_and_genes(expression)
    expressed = expression.expressed
    n_expressed = int(expressed.sum())
    if n_expressed <= n_top_genes:
        logger.info("all %d expressed genes are used: no more than n_top_genes=%d", n_expressed, n_top_genes)
        return expressed.copy()
    counts = expression.counts  # of all cells: whether there are any is decided, and said in the log, once
    cells, batch = _cells_with_a_say(expression, batch)
    expression = expression.of_cells(cells)
    expressed = expression.expressed
    n_top_genes = min(n_top_genes, int(expressed.sum()))
    if counts is None:
        logger.info("no counts: highly variable genes by scanpy's flavor 'seurat' on log-normalized values")
        variable = _highly_variable(expression.log_normalized(expressed), n_top_genes, batch, flavor="seurat")
    else:
        counts = columns_of(of_rows(counts, cells), expressed)
        counts = counts if isinstance(counts, StoredRows) else in_memory(counts)
        variable = _highly_variable_counts(counts, n_top_genes, batch)
    chosen = np.zeros(expressed.size, dtype=bool)
    chosen[np.flatnonzero(expressed)[variable]] = True
    return chosen


def _cells_with_a_say(expression: Expression, batch: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """All cells (bool, n_obs) but those of batches of one cell, in which nothing varies, and the batches of the others.

    One batch, or none, is no reason to tell them apart.
    """
    whole = np.ones(expression.values.shape[0], dtype=bool)
    if batch is None:
        return whole, None
    sizes = np.bincount(batch)
    kept = sizes[batch] > 1
    n_kept, n_batches = int((sizes > 1).sum()), int((sizes > 0).sum())
    if n_kept == 0:
        logger.info("each of the %d batches has a single cell: genes are chosen over all cells alike", n_batches)
        return whole, None
    if n_kept < n_batches:
        message = "%d of %d batches have a single cell, and no say in which genes are chosen"
        logger.info(message, n_batches - n_kept, n_batches)
    return kept, batch[kept] if n_kept > 1 else None


def most_variable(values: Any, n_top_genes: int, batch: np.ndarray | None) -> np.ndarray:
    """bool, n_vars: columns of continuous values with the largest variance inside batches; constant ones are left out."""
    within = np.zeros(values.shape[1])
    whole = np.ones(values.shape[0], dtype=bool)
    for rows in [whole] if batch is None else [batch == code for code in np.unique(batch)]:
        block = of_rows(values, rows)
        if isinstance(block, np.ndarray):
            within += block.var(axis=0, dtype=np.float64) * block.shape[0]
        else:
            sums, squares = np.sum(each_block(block, sums_and_squares), axis=0)
            within += squares - sums**2 / block.shape[0]
    within[within < 1e-9 * values.shape[0]] = 0
    order = np.argsort(-within, kind="stable")[:n_top_genes]
    chosen = np.zeros(within.size, dtype=bool)
    chosen[order[within[order] > 0]] = True
    return chosen


def _report_poor_cells_and_genes(expression: Expression) -> None:
    """Count what the paper would have removed."""
    n_cells, n_genes = expression.values.shape
    if n_genes >= _MIN_GENES_OF_CELL:
        n_poor = int((expression.n_genes_of_cells < _MIN_GENES_OF_CELL).sum())
        if n_poor:
            message = "%d of %d cells have fewer than %d of the %d genes; kept"
            logger.info(message, n_poor, n_cells, _MIN_GENES_OF_CELL, n_genes)
    n_rare = int((expression.n_cells_of_genes < _MIN_CELLS_OF_GENE).sum())
    if n_rare:
        logger.info("%d of %d genes are found in fewer than %d cells; kept", n_rare, n_genes, _MIN_CELLS_OF_GENE)


def _highly_variable_counts(counts: sparse.csr_matrix | Rows, n_top_genes: int, batch: np.ndarray | None) -> np.ndarray:
    """seurat_v3, with a wider window where the local regression is singular in the default one.

    What counts are was decided before: scanpy's warning about those that were corrected is not wanted.
    """
    options = {"flavor": "seurat_v3", "check_values": False}
    for span in _LOESS_SPANS[:-1]:
        try:
            return _highly_variable(counts, n_top_genes, batch, span=span, **options)
        except ValueError as error:
            # skmisc reports trouble of its regression as bytes, e.g. b'reciprocal condition number 0'
            if not str(error).startswith("b'"):
                raise
            logger.info("the regression of seurat_v3 failed with span=%g (%s): trying a wider one", span, error)
    return _highly_variable(counts, n_top_genes, batch, span=_LOESS_SPANS[-1], **options)


def _highly_variable(
    matrix: sparse.csr_matrix | Rows, n_top_genes: int, batch: np.ndarray | None, **options: Any
) -> np.ndarray:
    """bool: what scanpy chooses, of a matrix on disk through dask."""
    if isinstance(matrix, StoredRows):
        if batch is not None and options["flavor"] == "seurat_v3":
            own = [
                scanpy_table(rows, n_top_genes, np.zeros(rows.shape[0], dtype=np.int64), **options)["variances_norm"]
                for rows in one_batch_after_the_other(matrix, batch)
            ]
            return most_variable_across_batches(np.stack(own), n_top_genes)
        matrix = matrix.as_dask()
    return np.asarray(scanpy_table(matrix, n_top_genes, batch, **options)["highly_variable"], dtype=bool)
