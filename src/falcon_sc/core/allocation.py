"""How many fine classes each coarse class gets: curves over k, turned into counts that sum to n_fine.

Every rule offers, for every coarse class, the gain of going from k to k + 1 classes. Gains are made non-increasing
(isotonic regression), the largest ones over all coarse classes are taken, and the rules vote by their mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The likelihood counts twice: it alone is right when only a few fine classes are added, the others find rare types.
VOTES = {"n_likelihood": 2.0, "n_eigenvalue": 1.0, "n_agreement": 1.0, "n_reproducibility": 1.0}
GAIN_CAP = 3.0  # thresholds; a split that one view finds overwhelming decides no more than that


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


def in_own_units(gains: Sequence[np.ndarray], n_extra: int) -> list[np.ndarray]:
    """Gains made non-increasing, in units of the smallest of the `n_extra` largest: what is taken has 1 or more."""
    own = [non_increasing(g) for g in gains]
    threshold = np.sort(np.concatenate(own))[-n_extra]
    return [g / max(threshold, 1e-9) for g in own]


def pooled_over_views(gains: Sequence[np.ndarray], n_extra: int) -> list[np.ndarray]:
    """Mean over the views of their gains in own units, capped; (views, K - 1) for each class."""
    pooled = [np.zeros(g.shape[1]) for g in gains]
    n_views = gains[0].shape[0]
    for view in range(n_views):
        for total, gain in zip(pooled, in_own_units([g[view] for g in gains], n_extra), strict=True):
            total += np.minimum(gain, GAIN_CAP) / n_views
    return pooled


def rising_gains(curves: np.ndarray, n_cells: int) -> np.ndarray:
    """sqrt(n) times the rise of each curve (nats a cell), never negative: (views, K - 1) from (views, K)."""
    return np.asarray(np.sqrt(n_cells) * np.diff(np.maximum.accumulate(curves, axis=-1), axis=-1))


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


def evidence(
    log_likelihood: np.ndarray,
    agreement: np.ndarray,
    eigenvalue_ratio: np.ndarray,
    reproducibility: np.ndarray | None,
    sizes: np.ndarray,
    k_max: np.ndarray,
    n_fine: int,
) -> dict[str, list[np.ndarray]]:
    """What each rule gains by every further class, in its own units, from curves padded beyond `k_max`.

    Shapes as in `Start.curves`; at least one further class must be asked for.
    """
    classes, n_extra = range(len(sizes)), n_fine - len(sizes)

    def of_views(curves: np.ndarray) -> list[np.ndarray]:
        return pooled_over_views([rising_gains(curves[c, :, : k_max[c]], sizes[c]) for c in classes], n_extra)

    found = {
        "n_likelihood": of_views(log_likelihood),
        "n_eigenvalue": in_own_units([eigenvalue_ratio[c, : k_max[c] - 1] for c in classes], n_extra),
        "n_agreement": in_own_units([agreement_gains(agreement[c, : k_max[c]], sizes[c]) for c in classes], n_extra),
    }
    if reproducibility is not None:
        found["n_reproducibility"] = of_views(reproducibility)
    return found


def vote(
    gains: Mapping[str, Sequence[np.ndarray]], total: int, upper: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Counts (n_coarse,) int64 that sum to `total`, and the counts of each rule.

    Nearest to the mean of the rules' counts, weighted by `VOTES`; of equal shares the class gets one more whose next
    class has the most evidence.
    """
    counts = {rule: largest_gains(own, total - len(upper)) for rule, own in gains.items()}
    weights = np.array([VOTES[rule] for rule in gains])
    mean = np.average(np.stack(list(counts.values())), axis=0, weights=weights)
    at = np.floor(mean + 1e-9).astype(np.int64) - 1  # the gain of one class more than the whole ones
    following = np.zeros(len(upper))
    for weight, own in zip(weights / weights.sum(), gains.values(), strict=True):
        following += [weight * min(g[i], GAIN_CAP) if i < len(g) else 0 for g, i in zip(own, at, strict=True)]
    return largest_remainder(mean + 1e-6 * following, total, upper), counts
