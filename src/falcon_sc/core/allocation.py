"""How many fine classes each coarse class gets: curves over k, turned into counts that sum to n_fine.

Every rule offers, for every coarse class, the gain of going from k to k + 1 classes. Gains are made non-increasing
(isotonic regression), the largest ones over all coarse classes are taken, and the rules vote by their mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

# The likelihood counts twice: it alone is right when only a few fine classes are added, the others find rare types.
VOTES = {"n_likelihood": 2.0, "n_eigenvalue": 1.0, "n_agreement": 1.0}


def non_increasing(gains: np.ndarray) -> np.ndarray:
    """Closest non-increasing sequence in least squares (pool adjacent violators)."""
    blocks: list[tuple[float, int]] = []
    for gain in gains:
        value, size = float(gain), 1
        while blocks and blocks[-1][0] < value:
            previous, previous_size = blocks.pop()
            value = (value * size + previous * previous_size) / (size + previous_size)
            size += previous_size
        blocks.append((value, size))
    return np.concatenate([np.full(size, value) for value, size in blocks] or [np.zeros(0)])


def largest_gains(gains: Sequence[np.ndarray], n_extra: int) -> np.ndarray:
    """Counts 1 + (gains taken) per class when the `n_extra` largest of all are taken; ties go to the smaller k.

    Each class offers ``len(gains[c])`` further classes, its cap; the sequences must be non-increasing.
    """
    owner = np.concatenate([np.full(len(g), c) for c, g in enumerate(gains)])
    step = np.concatenate([np.arange(len(g)) for g in gains])
    value = np.concatenate(list(gains))
    if n_extra > len(value):
        msg = f"{n_extra} further fine classes were asked for, the coarse classes can be split {len(value)} times"
        raise ValueError(msg)
    taken = owner[np.lexsort((owner, step, -value))[:n_extra]]
    return 1 + np.bincount(taken, minlength=len(gains))


def largest_remainder(shares: np.ndarray, total: int, upper: np.ndarray) -> np.ndarray:
    """Integers near `shares`, at least 1, at most `upper`, that sum to `total`.

    Floors first; what is missing goes one by one to the class with the largest unmet share (ties: the first), what
    is too much is taken from the class with the largest excess.
    """
    if not len(upper) <= total <= upper.sum():
        msg = f"{total} fine classes do not fit: between {len(upper)} and {upper.sum()} are possible"
        raise ValueError(msg)
    counts = np.clip(np.floor(shares + 1e-9).astype(np.int64), 1, upper)
    while counts.sum() < total:
        counts[np.where(counts < upper, shares - counts, -np.inf).argmax()] += 1
    while counts.sum() > total:
        counts[np.where(counts > 1, counts - shares, -np.inf).argmax()] -= 1
    return counts


def likelihood_gains(log_likelihood: np.ndarray, n_cells: int) -> np.ndarray:
    """sqrt(n) times the rise of the mean log-likelihood, per view: (views, K - 1) from (views, K)."""
    rising = np.maximum.accumulate(log_likelihood, axis=-1)
    return np.asarray(np.sqrt(n_cells) * np.diff(rising, axis=-1))


def eigenvalue_gains(eigenvalues: np.ndarray, null_eigenvalues: np.ndarray, n_gains: int) -> np.ndarray:
    """Ratio of each eigenvalue to the null's of the same rank (ten at most): the k-th supports the k-th split."""
    gains = np.zeros(n_gains)
    m = min(n_gains, len(eigenvalues))
    if m and len(null_eigenvalues):
        reference = null_eigenvalues[np.minimum(np.arange(m), min(10, len(null_eigenvalues)) - 1)]
        gains[:m] = eigenvalues[:m] / np.maximum(reference, 1e-12)
    return gains


def agreement_gains(agreement: np.ndarray, n_cells: int) -> np.ndarray:
    """n^(1/4) times the rise of the mutual information between views, beyond chance: (K - 1,) from (K,)."""
    return np.asarray(n_cells**0.25 * np.diff(agreement))


def vote(
    rules: Sequence[np.ndarray], total: int, upper: np.ndarray, weights: Sequence[float] | None = None
) -> np.ndarray:
    """Counts (n_coarse,) int64 nearest to the (weighted) mean of the rules' counts, summing to `total`."""
    return largest_remainder(np.average(np.stack(list(rules)), axis=0, weights=weights), total, upper)


def rules(
    log_likelihood: np.ndarray,
    agreement: np.ndarray,
    eigenvalue_ratio: np.ndarray,
    sizes: np.ndarray,
    k_max: np.ndarray,
    n_fine: int,
) -> dict[str, np.ndarray]:
    """Counts per coarse class by each rule, from curves padded beyond `k_max` (shapes as in `Start.curves`)."""
    classes = range(len(sizes))

    def allocate(gains: Sequence[np.ndarray]) -> np.ndarray:
        return largest_gains([non_increasing(g) for g in gains], n_fine - len(sizes))

    by_class = [likelihood_gains(log_likelihood[c, :, : k_max[c]], sizes[c]) for c in classes]
    by_view = [allocate([g[view] for g in by_class]) for view in range(log_likelihood.shape[1])]
    return {
        "n_likelihood": vote(by_view, n_fine, k_max),
        "n_eigenvalue": allocate([eigenvalue_ratio[c, : k_max[c] - 1] for c in classes]),
        "n_agreement": allocate([agreement_gains(agreement[c, : k_max[c]], sizes[c]) for c in classes]),
    }
