"""How many fine classes each coarse class gets: curves over k, turned into counts that sum to n_fine.

A curve says how well k classes fit a coarse class. What every further class gains is weighed by the size of the
coarse class and made non-increasing (isotonic regression); the largest gains over all coarse classes are taken.
Several representations are pooled before: their gains are averaged, each in its own units.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

GAIN_CAP = 3.0  # units; a split that one representation finds overwhelming decides no more than that
# Gains per cell times n^0.4: with n all classes go to the large coarse classes, with 1 to the small ones. Exponents
# from 1/4 to 1/2 give about the same accuracy on real cells; with this one, fewer numbers are wrong than with 1/3.
SIZE_POWER = 0.4


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


def by_size(sizes: np.ndarray, n_fine: int, most: np.ndarray) -> np.ndarray:
    """Counts in proportion to the samples of the coarse classes (K_C), from 1 to `most`: all fine classes are of about one size.

    The method of Webster: each further class goes where the samples for each class, with half a class more, are most.
    """
    n_extra = n_fine - len(sizes)
    further = [np.arange(1, min(int(k), n_extra + 1)) for k in most]
    return largest_gains([n / (k + 0.5) for n, k in zip(sizes, further, strict=True)], n_extra)


def in_own_units(gains: Sequence[np.ndarray], n_extra: int) -> list[np.ndarray]:
    """Gains made non-increasing, in units of the smallest of the `n_extra` largest: what is taken has 1 or more."""
    own = [non_increasing(g) for g in gains]
    threshold = np.sort(np.concatenate(own))[-n_extra]
    return [g / max(threshold, 1e-9) for g in own]


def rising_gains(curves: np.ndarray, n_cells: int) -> np.ndarray:
    """n^0.4 times the rise of each curve (nats a cell), never negative: (r, K - 1) from (r, K) of r representations."""
    return np.asarray(n_cells**SIZE_POWER * np.diff(np.maximum.accumulate(curves, axis=-1), axis=-1))


def pooled(gains: Sequence[np.ndarray], n_extra: int) -> list[np.ndarray]:
    """Mean over r representations of their gains in own units, capped: (K - 1,) for each class from (r, K - 1)."""
    total = [np.zeros(g.shape[1]) for g in gains]
    n_representations = gains[0].shape[0]
    for row in range(n_representations):
        for own, gain in zip(total, in_own_units([g[row] for g in gains], n_extra), strict=True):
            own += np.minimum(gain, GAIN_CAP) / n_representations
    return total


def joint_gains(curves: Sequence[np.ndarray], sizes: np.ndarray, n_fine: int) -> list[np.ndarray]:
    """What every further fine class gains, non-increasing (K - 1,) for each coarse class.

    Parameters
    ----------
    curves
        For each coarse class its curves over k = 1..K of the class (nats a cell): (r, K), with as many representations r in
        every class.
    sizes
        Samples of each coarse class, K_C.
    n_fine
        The number of fine classes that are to be shared out, which sets the units; more than there are coarse classes.
    """
    gains = [rising_gains(own, int(n)) for own, n in zip(curves, sizes, strict=True)]
    return pooled(gains, n_fine - len(sizes))
