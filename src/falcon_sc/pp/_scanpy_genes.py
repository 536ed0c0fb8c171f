"""Scanpy's highly variable genes, also of batches that are in memory one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.core.runtime import forks
from falcon_sc.core.runtime.compiled_code import says_where_to_keep_it

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from scipy import sparse

    from falcon_sc.core.data.rows import Rows


def scanpy_table(matrix: Any, n_top_genes: int, batch: np.ndarray | None, **options: Any) -> pd.DataFrame:
    """Call scanpy on an object that holds nothing but the matrix (CSR or dask) and the batches."""
    import anndata
    import pandas as pd

    forks.check_numba_threads("Choosing genes (scanpy)")
    with says_where_to_keep_it("scanpy"):
        import scanpy as sc

    obs = pd.DataFrame(index=np.arange(matrix.shape[0]).astype(str))
    if batch is not None:
        obs["batch"] = pd.Categorical(batch)
    bare = anndata.AnnData(X=matrix, obs=obs)
    table: pd.DataFrame = sc.pp.highly_variable_genes(
        bare, n_top_genes=n_top_genes, batch_key=None if batch is None else "batch", inplace=False, **options
    )
    return table


def one_batch_after_the_other(matrix: Rows, batch: np.ndarray) -> Iterator[sparse.csr_matrix]:
    """The cells of each batch, read from disk."""
    kept = matrix.kept()
    for code in np.unique(batch):
        yield kept[np.flatnonzero(batch == code)]


def most_variable_across_batches(variances: np.ndarray, n_top_genes: int) -> np.ndarray:
    """bool: genes by their median rank in the batches where they are among the first, as "seurat_v3" has it in scanpy.

    What scanpy does for batches in memory. For those of a dask array it sums in another order, and many genes of few
    counts, whose ranks are tied but for rounding, would get other ranks than the same cells give in memory.

    Parameters
    ----------
    variances
        Normalized variance of each gene in each batch, n_batches x n_genes.
    n_top_genes
        Number of genes.
    """
    ranks = np.argsort(np.argsort(-variances, axis=1), axis=1).astype(np.float32)
    first = ranks < n_top_genes
    median = np.ma.median(np.ma.masked_array(ranks, ~first), axis=0).filled(np.inf)
    chosen = np.zeros(variances.shape[1], dtype=bool)
    chosen[np.lexsort((-first.sum(axis=0), median))[:n_top_genes]] = True
    return chosen
