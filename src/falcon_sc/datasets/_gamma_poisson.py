r"""Sparse gamma-Poisson counts in one pass, without a dense matrix of all cells.

A count with mean `m` and gamma noise of shape 1 (an exponential factor of mean 1, so dispersion 1),

.. math:: X \sim \mathrm{Poisson}(m\,\Gamma), \quad \Gamma \sim \mathrm{Gamma}(1, 1),

is negative binomial with mean :math:`m` and variance :math:`m + m^2`. At shape 1 that is the geometric distribution
:math:`P(X \ge k) = q^k` with :math:`q = m / (1 + m)`, so one uniform number `u` gives the count exactly:

.. math:: X = \lfloor \ln(1 - u) / \ln q \rfloor, \qquad X > 0 \iff u\,(1 + m) \ge 1 .

The test for zero costs one product; logarithms are taken of the few non-zero counts only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

# Entries of a block: the buffers stay in the cache, and the calls per block cost little.
BLOCK_ENTRIES = 2**18


def sample_counts(
    depth: NDArray[np.float64],
    profiles: NDArray[np.float64],
    profile_of: NDArray[np.int64],
    programs: NDArray[np.float64],
    usage: NDArray[np.float64],
    *,
    rng: np.random.Generator,
) -> csr_matrix:
    r"""Counts with mean :math:`m_{ig} = d_i [(1 - \sum_k t_{ik}) p_{c(i) g} + \sum_k t_{ik} q_{kg}]`.

    Parameters
    ----------
    depth
        d: expected total count of each cell, n_cells.
    profiles
        p: expression profiles, n_profiles x n_genes, rows sum to 1.
    profile_of
        Row of `profiles` of each cell.
    programs
        q: profiles of the programs, n_programs x n_genes (none: 0 x n_genes), rows sum to 1.
    usage
        t: share of each program in each cell, n_cells x n_programs, rows sum to at most 1.
    rng
        Source of randomness.

    Returns
    -------
    CSR, n_cells x n_genes, float32, whole numbers, indices sorted, no explicit zeros.
    """
    from scipy.sparse import csr_matrix

    n_cells, n_genes = len(depth), profiles.shape[1]
    own, shared = depth * (1 - usage.sum(axis=1)), depth[:, None] * usage
    block = max(1, BLOCK_ENTRIES // n_genes)
    data, indices = [], []
    indptr = np.zeros(n_cells + 1, dtype=np.int64)
    for start in range(0, n_cells, block):
        cells = slice(start, start + block)
        mean = profiles[profile_of[cells]]
        mean *= own[cells, None]
        mean += shared[cells] @ programs
        columns, counts, values = _geometric(mean, rng)
        indices.append(columns)
        data.append(values)
        indptr[start + 1 : start + 1 + len(counts)] = counts
    np.cumsum(indptr, out=indptr)
    shape = (n_cells, n_genes)
    return csr_matrix((_joined(data), _joined(indices), indptr), shape=shape)


def _geometric(
    mean: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float32]]:
    """Columns of the non-zero counts row by row, how many each row has, and the counts. Overwrites `mean`."""
    uniform = rng.random(mean.shape)
    mean += 1
    non_zero = uniform * mean >= 1
    per_row = np.count_nonzero(non_zero, axis=1)
    flat = np.flatnonzero(non_zero)
    columns = flat - np.repeat(np.arange(len(mean)) * mean.shape[1], per_row)
    log_q = np.log1p(-1 / mean.ravel()[flat])
    # Rounding can put the quotient a hair below 1 where the test for zero has just passed.
    values = np.maximum(np.floor(np.log1p(-uniform.ravel()[flat]) / log_q), 1)
    return columns.astype(np.int32), per_row, values.astype(np.float32)


def _joined[T: np.generic](pieces: list[NDArray[T]]) -> NDArray[T]:
    """Concatenate and free the pieces, so that only one of the two large arrays is ever held twice."""
    whole = np.concatenate(pieces)
    pieces.clear()
    return whole
