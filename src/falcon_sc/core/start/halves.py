"""Does the consensus hang on which clusterings vote? Halves of them, drawn at random, tell."""

from __future__ import annotations

import numpy as np

from falcon_sc.core.start.consensus import consensus_labels, indicators

N_HALVINGS = 4
# Adjusted Rand indices: what is alike has at least, what is far apart less, and what is clearly better so much more.
ALIKE, FAR_APART, CLEARLY = 0.9, 0.6, 0.02
MANY = 0.25  # of the pairs, at least


def consensus_of_halves(labels: np.ndarray, n_clusters: int, rng: np.random.Generator) -> np.ndarray:
    """Groups by one and the other half of the clusterings (rows of `labels`, v x n), `N_HALVINGS` times: int64, (2 `N_HALVINGS`, n)."""
    halves = [half for _ in range(N_HALVINGS) for half in np.array_split(rng.permutation(labels), 2)]
    return np.stack([consensus_labels(half, n_clusters) for half in halves])


def halves_differ(found: np.ndarray) -> bool:
    """Whether one half has other groups than the other half, in any of the halvings (`consensus_of_halves`)."""
    return bool(adjusted_rand_indices(found[::2], found[1::2]).diagonal().min() < ALIKE)


def fall_into_forms(found: np.ndarray) -> bool:
    """Whether halves have one of several forms: alike in many pairs of halves (`consensus_of_halves`), far apart in others.

    Which of the forms the whole consensus has is a matter of how many vote. Where hardly any two are alike, it is not.
    """
    index = adjusted_rand_indices(found, found)[np.triu_indices(len(found), 1)]
    return bool(index.min() < FAR_APART and (index >= ALIKE).mean() >= MANY)


def better_half(found: np.ndarray, whole: np.ndarray, labels: np.ndarray) -> int | None:
    """Row of `found` whose groups agree clearly better with all clusterings (`labels`, v x n) than those of the `whole` (n) do, if any.

    Average linkage gives a class to what it joins last, now and then to a few cells.
    """
    index = adjusted_rand_indices(np.vstack([whole, found]), labels).mean(axis=1)
    best = int(index[1:].argmax())
    return best if index[1 + best] > index[0] + CLEARLY else None


def adjusted_rand_indices(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of every clustering among `ones` (a x n) with every one among `others` (b x n): (a, b).

    As `sklearn.metrics.adjusted_rand_score`, hundreds at once.
    """
    first, second = indicators(ones), indicators(others)
    n = ones.shape[1]
    sizes_of_ones, sizes_of_others = first.sum(axis=2, dtype=np.float64), second.sum(axis=2, dtype=np.float64)
    tables = first.reshape(-1, n) @ second.reshape(-1, n).T  # whole numbers, exact
    together = _pairs(tables.reshape(*first.shape[:2], *second.shape[:2]).astype(np.float64)).sum(axis=(1, 3))
    of_ones, of_others = _pairs(sizes_of_ones).sum(axis=1)[:, None], _pairs(sizes_of_others).sum(axis=1)
    by_chance = of_ones * of_others / max(n * (n - 1) / 2, 1)
    above = (of_ones + of_others) / 2 - by_chance
    return np.asarray(np.where(above > 0, (together - by_chance) / np.where(above > 0, above, 1), 1.0))


def _pairs(n: np.ndarray) -> np.ndarray:
    return np.asarray(n * (n - 1) / 2)
