from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

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


def test_tightness_is_that_of_the_pooled_covariance() -> None:
    rng = np.random.default_rng(1)
    X, labels = rng.normal(size=(60, 3)), rng.integers(3, size=60)
    slow = np.zeros((3, 3))
    for x, own in zip(X, labels, strict=True):
        r = x - X[labels == own].mean(axis=0)
        slow += np.outer(r, r)
    slow = slow / (60 - 3) + thinning.ridge(X[None]) * np.eye(3)
    assert thinning.tightness(X[None], labels[None], 3) == pytest.approx(-0.5 * np.log(np.linalg.det(slow)))


def test_random_clusters_do_not_make_the_data_tighter() -> None:
    """The unbiased covariance takes off what any further cluster explains by chance."""
    rng = np.random.default_rng(2)
    X = rng.normal(size=(400, 5))
    one = thinning.tightness(X[None], np.zeros((1, 400), dtype=int), 1)
    many = thinning.tightness(np.tile(X, (50, 1, 1)), rng.integers(10, size=(50, 400)), 10)
    assert np.mean(many) - one == pytest.approx(0, abs=0.01)


def test_planted_clusters_are_reproduced_and_more_of_them_are_not() -> None:
    rng = np.random.default_rng(3)
    fold = np.exp(rng.normal(0, 1.2, (3, 80)) * (rng.random((3, 80)) < 0.2))
    counts = rng.poisson(3 * fold[rng.integers(3, size=300)]).astype(np.float32)
    found, halves = thinning.reproducibility(counts, "counts", [1, 2, 3, 4, 5], rng, n_genes=80)
    assert found.shape == (2 * thinning.N_SPLITS * len(thinning.REPRESENTATIONS), 5)
    assert halves.labels.shape == (len(found), 4, 300)
    assert halves.scores.shape[:2] == (len(found), 300)
    gains = np.diff(found.mean(axis=0))
    assert gains[:2].min() > 10 * np.abs(gains[2:]).max()
