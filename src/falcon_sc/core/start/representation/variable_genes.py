"""Genes that vary more than their mean expression predicts (standardized variance, as "seurat_v3")."""

from __future__ import annotations

import logging

import numpy as np
from scipy import sparse

logger = logging.getLogger(__name__)

MIN_DISTINCT_MEANS = 30
MIN_DONOR_CELLS = 30  # a donor with fewer cells in the class ranks no genes


def select_variable_genes(
    counts: np.ndarray | sparse.csr_matrix, n_genes: int, batch: np.ndarray | None = None
) -> np.ndarray:
    """Sorted indices of at most `n_genes` columns of non-constant, most variable genes.

    With `batch` (int codes, n) genes are ranked inside every donor and ordered by the median rank, so that a gene
    that differs between donors, or varies in one of them only, does not drive.
    """
    whole = standardized_variance(counts)
    candidates = int((whole > 0).sum())
    if candidates <= n_genes:
        return np.flatnonzero(whole > 0)
    donors = [] if batch is None else [d for d in np.unique(batch) if (batch == d).sum() >= MIN_DONOR_CELLS]
    if len(donors) < 2:
        order = np.argsort(-whole, kind="stable")
    else:
        ranks = [np.argsort(np.argsort(-standardized_variance(counts[batch == d]), kind="stable")) for d in donors]
        order = np.lexsort((-whole, np.median(ranks, axis=0)))
    chosen = order[:n_genes]
    return np.sort(chosen[whole[chosen] > 0])


def standardized_variance(counts: np.ndarray | sparse.csr_matrix) -> np.ndarray:
    """Variance of each gene after z-scoring by the trend of variance on mean, clipped at sqrt(n); 0 if constant."""
    n = counts.shape[0]
    total, squares = _sums(counts)
    mean = total / n
    variance = np.maximum(squares - n * mean**2, 0) / max(n - 1, 1)
    varies = variance > 1e-12
    result = np.zeros(len(mean))
    if not varies.any():
        return result
    sd = np.sqrt(10 ** _trend(np.log10(mean[varies]), np.log10(variance[varies])))
    upper = mean[varies] + sd * np.sqrt(n)
    clipped_total, clipped_squares = _sums(_clip_columns(counts[:, varies], upper))
    center = mean[varies]
    result[varies] = (n * center**2 + clipped_squares - 2 * center * clipped_total) / (max(n - 1, 1) * sd**2)
    return result


def _sums(counts: np.ndarray | sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(counts, np.ndarray):
        return counts.sum(axis=0, dtype=np.float64), np.einsum("ij,ij->j", counts, counts, dtype=np.float64)
    data = counts.data.astype(np.float64)
    width = counts.shape[1]
    return (
        np.bincount(counts.indices, weights=data, minlength=width),
        np.bincount(counts.indices, weights=data**2, minlength=width),
    )


def _clip_columns(counts: np.ndarray | sparse.csr_matrix, upper: np.ndarray) -> np.ndarray | sparse.csr_matrix:
    if isinstance(counts, np.ndarray):
        return np.minimum(counts, upper)
    counts = counts.tocsr()
    clipped = np.minimum(counts.data, upper[counts.indices])
    return sparse.csr_matrix((clipped, counts.indices, counts.indptr), shape=counts.shape)


def _trend(log_mean: np.ndarray, log_variance: np.ndarray) -> np.ndarray:
    """Loess (span .3, degree 2) of log variance on log mean, one decade beyond the data at most.

    Many genes with the same low mean make its neighborhoods singular; then the distinct means are fitted, weighted
    by their genes, and with fewer than 30 of them a parabola.
    """
    means, inverse, n_genes = np.unique(log_mean, return_inverse=True, return_counts=True)
    if len(means) < MIN_DISTINCT_MEANS:
        return np.asarray(np.polyval(np.polyfit(log_mean, log_variance, min(2, len(means) - 1)), log_mean))
    try:
        fitted = _loess(log_mean, log_variance, np.ones(len(log_mean)))
    except ValueError:
        try:
            fitted = _loess(means, np.bincount(inverse, log_variance) / n_genes, n_genes.astype(float))[inverse]
        except ValueError as error:
            logger.debug("loess failed (%s), a parabola is used", error)
            fitted = np.polyval(np.polyfit(log_mean, log_variance, 2), log_mean)
    return np.asarray(np.clip(fitted, log_variance.min() - 1, log_variance.max() + 1))


def _loess(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    from skmisc.loess import loess

    model = loess(x, y, weights=weights, span=0.3, degree=2)
    model.fit()
    fitted = np.asarray(model.outputs.fitted_values)
    if not np.isfinite(fitted).all():
        msg = "fitted values are not finite"
        raise ValueError(msg)
    return fitted
