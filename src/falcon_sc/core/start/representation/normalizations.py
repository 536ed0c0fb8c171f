"""Normalizations of the cells of one coarse class: what is learned on some cells is applied to all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from falcon_sc.core.start.input import Kind

THETA = 100.0  # overdispersion of the Pearson residuals, the common default
MAX_SCORE = 10.0  # clip of the z-scores
COUNT_SHARE = 0.98  # recovered values that must be near integers to be taken for counts
INTEGER_DISTANCE = 0.05


def pseudo_counts(lognorm: np.ndarray | sparse.csr_matrix) -> np.ndarray | sparse.csr_matrix:
    """Undo log1p and the size factor: expm1, divided by the smallest positive value of each cell (a count of one)."""
    if isinstance(lognorm, np.ndarray):
        values = np.expm1(lognorm.astype(np.float64))
        lowest = np.where(values > 0, values, np.inf).min(axis=1, keepdims=True)
        return (values / np.where(np.isfinite(lowest), lowest, 1)).astype(np.float32)
    result = lognorm.astype(np.float64).tocsr()
    result.eliminate_zeros()
    np.expm1(result.data, out=result.data)
    filled = np.diff(result.indptr) > 0
    smallest = np.ones(result.shape[0])
    if filled.any():
        smallest[filled] = np.minimum.reduceat(result.data, result.indptr[:-1][filled])
    result.data /= np.repeat(smallest, np.diff(result.indptr))
    return result.astype(np.float32)


def look_like_counts(values: np.ndarray | sparse.csr_matrix) -> bool:
    """Whether nearly all positive values lie near an integer, and not all of them are one."""
    data = np.asarray(values.data if sparse.issparse(values) else values, dtype=np.float64)
    data = data[data > 0]
    if data.size == 0 or (data < 0).any():
        return False
    near = np.abs(data - np.rint(data)) < INTEGER_DISTANCE
    return bool(near.mean() >= COUNT_SHARE and data.max() > 1 + INTEGER_DISTANCE)


@dataclass(frozen=True)
class Normalizer:
    """Gene-wise statistics of one class, learned by `learn` and applied by `apply`.

    `log_mean`, `log_sd` (g,): of the log-normalized genes. `gene_share` (g,): expected share of a cell's library,
    None where there are no counts. `target`: library size the counts are scaled to, `n`: cells learned from.
    """

    kind: Kind
    target: float
    log_mean: np.ndarray
    log_sd: np.ndarray
    gene_share: np.ndarray | None
    n: int

    @classmethod
    def learn(cls, kind: Kind, values: np.ndarray, counts: np.ndarray | None, library: np.ndarray | None) -> Normalizer:
        """Learn from dense n x g `values`; `counts` (n x g) and `library` (n, over all genes) where counts exist."""
        target = 1.0 if library is None else float(np.median(library[library > 0])) if (library > 0).any() else 1.0
        log = _log(kind, values, library, target)
        share = None
        if counts is not None and library is not None:
            share = counts.sum(axis=0, dtype=np.float64) / max(float(library.sum()), 1.0)
        sd = log.std(axis=0, dtype=np.float64)
        return cls(kind, target, log.mean(axis=0, dtype=np.float64), np.where(sd > 0, sd, 1), share, len(values))

    def apply(
        self, values: np.ndarray, counts: np.ndarray | None, library: np.ndarray | None
    ) -> Mapping[str, np.ndarray]:
        """Float32 n x g matrices: "log" (or the embedding itself), "scaled" z-scored, "pearson" Pearson residuals of counts."""
        log = _log(self.kind, values, library, self.target)
        scaled = (log - self.log_mean.astype(np.float32)) / self.log_sd.astype(np.float32)
        result = {"log": log, "scaled": np.clip(scaled, -MAX_SCORE, MAX_SCORE, out=scaled)}
        if self.gene_share is not None and counts is not None and library is not None:
            mu = np.outer(library, self.gene_share).astype(np.float32)
            spread = mu * mu  # in place from here: each of these is as large as the class
            spread /= THETA
            spread += mu
            np.sqrt(spread, out=spread)
            residual = np.subtract(counts, mu, out=mu)
            np.divide(residual, spread, out=residual, where=spread > 0)
            residual[spread == 0] = 0
            limit = float(np.sqrt(self.n))
            result["pearson"] = np.clip(residual, -limit, limit, out=residual)
        return result


def _log(kind: Kind, values: np.ndarray, library: np.ndarray | None, target: float) -> np.ndarray:
    if kind != "counts" or library is None:
        return np.array(values, dtype=np.float32)
    factor = np.divide(target, library, out=np.zeros(len(library)), where=library > 0).astype(np.float32)
    return np.asarray(np.log1p(values * factor[:, None]))
