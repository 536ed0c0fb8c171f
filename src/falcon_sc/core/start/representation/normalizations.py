"""Normalizations of the cells of one coarse class: what is learned on some cells is applied to all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from falcon_sc.core.start.input import Kind

THETA = 100.0  # overdispersion of the Pearson residuals, the common default
MAX_SCORE = 10.0  # clip of the z-scores
COUNT_SHARE = 0.98  # of the values judged that must be near whole numbers to be taken for counts
INTEGER_DISTANCE = 0.05
LARGEST_JUDGED = 100.0  # three digits of a logarithm tell 99 from 100 counts, not 999 from 1,000
FEWEST_JUDGED = 8  # one value in ten is near a whole number by chance, eight of eight are not


def counts_behind(rates: np.ndarray | sparse.csr_matrix) -> np.ndarray | sparse.csr_matrix | None:
    """Counts that were scaled by a factor of each cell's own, in the form and the shape of `rates`; None if there are none.

    The smallest positive rate of nearly every cell stands for one count. Only what is larger than that one says
    anything: it must lie near whole numbers. Large counts are left out, whose digits are lost in a logarithm.
    """
    units = _in_units(rates)
    return _rounded(units) if _are_whole([_judged(units)]) else None


def counts_can_be_recovered(lognorm: Any) -> bool:
    """Whether there are counts behind log1p-normalized values, also of rows that are read block by block (`each`).

    The one rule of the house, see `counts_behind`.
    """
    blocks = lognorm.each(_judged_lognorm) if hasattr(lognorm, "each") else [_judged_lognorm(lognorm)]
    return _are_whole(list(blocks))


def rounded_units(lognorm: np.ndarray | sparse.csr_matrix) -> np.ndarray | sparse.csr_matrix:
    """The counts behind log1p-normalized values, float32, where it is known that there are some."""
    return _rounded(_in_units(_expm1(lognorm)))


def _judged_lognorm(lognorm: np.ndarray | sparse.csr_matrix) -> tuple[int, int]:
    return _judged(_in_units(_expm1(lognorm)))


def _judged(units: np.ndarray | sparse.csr_matrix) -> tuple[int, int]:
    """How many values say anything, and how many of these are not near whole numbers."""
    data: np.ndarray = units if isinstance(units, np.ndarray) else units.data
    judged = data[(data > 1 + INTEGER_DISTANCE) & (data <= LARGEST_JUDGED)]
    return judged.size, int(np.count_nonzero(np.abs(judged - np.rint(judged)) > INTEGER_DISTANCE))


def _are_whole(judged: Sequence[tuple[int, int]]) -> bool:
    """Whether values are counts, from what `_judged` says of all parts of them."""
    n_judged, n_off = sum(n for n, _ in judged), sum(off for _, off in judged)
    return n_judged >= FEWEST_JUDGED and n_off / n_judged <= 1 - COUNT_SHARE


def _rounded(units: np.ndarray | sparse.csr_matrix) -> np.ndarray | sparse.csr_matrix:
    data: np.ndarray = units if isinstance(units, np.ndarray) else units.data
    np.rint(data, out=data)
    return units.astype(np.float32)


def pseudo_counts(lognorm: np.ndarray | sparse.csr_matrix) -> np.ndarray | sparse.csr_matrix:
    """Undo log1p and the size factor: expm1, divided by the smallest positive value of each cell (a count of one)."""
    return _in_units(_expm1(lognorm)).astype(np.float32)


def _expm1(values: np.ndarray | sparse.csr_matrix) -> np.ndarray | sparse.csr_matrix:
    """`expm1` in float64, for nothing but stored values of a sparse matrix."""
    if isinstance(values, np.ndarray):
        return np.expm1(values, dtype=np.float64)
    data = np.expm1(np.asarray(values.data), dtype=np.float64)
    return sparse.csr_matrix((data, values.indices, values.indptr), shape=values.shape)


def _in_units(rates: np.ndarray | sparse.csr_matrix) -> np.ndarray | sparse.csr_matrix:
    """Each cell divided by its smallest positive value, float64; an empty one stays empty."""
    if isinstance(rates, np.ndarray):
        values = rates.astype(np.float64)
        lowest = np.where(values > 0, values, np.inf).min(axis=1, keepdims=True)
        return np.asarray(values / np.where(np.isfinite(lowest), lowest, 1))
    result = rates.astype(np.float64).tocsr()
    result.eliminate_zeros()
    filled = np.diff(result.indptr) > 0
    smallest = np.ones(result.shape[0])
    if filled.any():
        smallest[filled] = np.minimum.reduceat(result.data, result.indptr[:-1][filled])
    result.data /= np.repeat(smallest, np.diff(result.indptr))
    return result


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
        mean = log.mean(axis=0, dtype=np.float64)
        log -= mean.astype(np.float32)
        sd = np.sqrt(np.einsum("ng,ng->g", log, log) / len(log)).astype(np.float64)
        return cls(kind, target, mean, np.where(sd > 1e-6, sd, 1), share, len(values))

    def apply(
        self,
        values: np.ndarray,
        counts: np.ndarray | None,
        library: np.ndarray | None,
        *,
        only: Collection[str] = ("log", "scaled", "pearson"),
    ) -> Mapping[str, np.ndarray]:
        """Float32 n x g matrices: "log" (or the embedding), "scaled" (z-scored), "pearson" residuals of counts."""
        result: dict[str, np.ndarray] = {}
        if "log" in only or "scaled" in only:
            log = _log(self.kind, values, library, self.target)
            if "log" in only:
                result["log"] = log
            if "scaled" in only:
                scaled = (log - self.log_mean.astype(np.float32)) / self.log_sd.astype(np.float32)
                result["scaled"] = np.clip(scaled, -MAX_SCORE, MAX_SCORE, out=scaled)
        if "pearson" in only and self.gene_share is not None and counts is not None and library is not None:
            result["pearson"] = self._residuals(counts, library, self.gene_share)
        return result

    def _residuals(self, counts: np.ndarray, library: np.ndarray, gene_share: np.ndarray) -> np.ndarray:
        mu = np.outer(library.astype(np.float32), gene_share.astype(np.float32))
        spread = mu * mu  # in place from here: each of these is as large as the class
        spread /= THETA
        spread += mu
        np.sqrt(spread, out=spread)
        residual = np.subtract(counts, mu, out=mu)
        np.divide(residual, spread, out=residual, where=spread > 0)
        residual[spread == 0] = 0
        limit = float(np.sqrt(self.n))
        return np.asarray(np.clip(residual, -limit, limit, out=residual))


def _log(kind: Kind, values: np.ndarray, library: np.ndarray | None, target: float) -> np.ndarray:
    if kind != "counts" or library is None:
        return np.array(values, dtype=np.float32)
    factor = np.divide(target, library, out=np.zeros(len(library)), where=library > 0).astype(np.float32)
    scaled = np.multiply(values, factor[:, None], dtype=np.float32)
    scaled += 1  # log1p takes three times as long, and is no better for numbers about 1
    return np.asarray(np.log(scaled, out=scaled))
