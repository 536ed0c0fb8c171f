from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.metrics import adjusted_rand_score

from falcon_sc.core.start import thinning


@given(st.integers(0, 2**32 - 1))
def test_halves_add_up_and_hold_whole_counts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = sparse.csr_matrix(rng.poisson(1.5, (7, 5)).astype(np.float32))
    before = counts.copy()
    first, second = thinning.halve(counts, rng)
    np.testing.assert_array_equal((first + second).toarray(), before.toarray())
    np.testing.assert_array_equal(counts.toarray(), before.toarray())
    for half in (first, second):
        assert (half.data > 0).all()
        np.testing.assert_array_equal(half.data, np.rint(half.data))


def test_halves_of_poisson_counts_are_independent_and_equal_in_mean() -> None:
    rng = np.random.default_rng(0)
    first, second = (
        half.toarray().ravel() for half in thinning.halve(sparse.csr_matrix(rng.poisson(4.0, (200, 200))), rng)
    )
    assert first.mean() == pytest.approx(2.0, abs=0.03)
    assert second.mean() == pytest.approx(2.0, abs=0.03)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.02


def _planted(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts of three clusters that differ in a fifth of 80 genes, and the clusters."""
    rng = np.random.default_rng(3)
    fold = np.exp(rng.normal(0, 1.2, (3, 80)) * (rng.random((3, 80)) < 0.2))
    true = rng.integers(3, size=n)
    return rng.poisson(3 * fold[true]).astype(np.float32), true


def test_clusters_of_one_half_are_the_planted_ones_and_apart_in_the_other() -> None:
    counts, true = _planted(300)
    rng = np.random.default_rng(0)
    halves = thinning.halved(thinning.molecules(np.arange(300), counts, "counts"), 5, rng, n_genes=80)
    assert halves.labels.shape == (2 * thinning.N_SPLITS * len(thinning.REPRESENTATIONS), 4, 300)
    assert halves.scores.shape[:2] == (len(halves.labels), 300)
    assert [len(np.unique(own)) for own in halves.labels[0]] == [2, 3, 4, 5]
    for labels, scores in zip(halves.labels, halves.scores, strict=True):
        assert adjusted_rand_score(true, labels[1]) > 0.95
        means = np.stack([scores[labels[1] == cluster].mean(axis=0) for cluster in range(3)])
        nearest = ((scores[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
        assert adjusted_rand_score(true, nearest) > 0.9


def test_of_a_large_class_some_cells_are_drawn_and_markers_counted_in_all_parts_of_it() -> None:
    cells = thinning.drawn_cells(thinning.MAX_CELLS + 200, np.random.default_rng(0))
    assert len(np.unique(cells)) == thinning.MAX_CELLS
    assert (np.diff(cells) > 0).all()
    np.testing.assert_array_equal(thinning.drawn_cells(7, np.random.default_rng(0)), np.arange(7))
    counted = thinning.counted_cells(len(cells))
    assert len(np.unique(counted)) == thinning.COUNTED_CELLS
    assert (counted[0], counted[-1]) == (0, len(cells) - 1)


def test_molecules_are_recovered_from_log_normalized_values() -> None:
    counts, _ = _planted(50)
    rates = counts / counts.sum(axis=1, keepdims=True) * 1e4
    found = thinning.molecules(np.arange(50), np.log1p(rates), "lognorm")
    np.testing.assert_allclose(found.counts.toarray(), counts, rtol=1e-3)


def test_clusters_of_noise_are_not_there_in_the_other_half() -> None:
    """Read off the half that they were found in, they would explain a large share of it."""
    rng = np.random.default_rng(5)
    counts = rng.poisson(2.0, (300, 60)).astype(np.float32)
    halves = thinning.halved(thinning.molecules(np.arange(300), counts, "counts"), 3, rng, n_genes=60)
    for labels, scores in zip(halves.labels, halves.scores, strict=True):
        means = np.stack([scores[labels[1] == cluster].mean(axis=0) for cluster in range(3)])
        within = ((scores - means[labels[1]]) ** 2).sum()
        assert 1 - within / ((scores - scores.mean(axis=0)) ** 2).sum() < 0.03
    assert not np.array_equal(halves.scores[0], halves.scores[2])  # either half is judged
