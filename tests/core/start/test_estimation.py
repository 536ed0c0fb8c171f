from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from falcon_sc.core.start.estimation import CELLS_PER_CLASS, MOST_CLASSES, estimate_numbers
from falcon_sc.core.start.input import StartInput

N_TRUE = np.array([3, 1, 2])


def simulate(seed: int, size: int = 45) -> tuple[np.ndarray, np.ndarray]:
    """Counts and coarse codes: three coarse classes with 3, 1 and 2 fine classes of `size` cells each."""
    rng = np.random.default_rng(seed)
    fine = np.repeat(np.arange(6), size)
    fold = np.exp(rng.normal(0, 1.5, (6, 100)) * (rng.random((6, 100)) < 0.15))
    rate = rng.gamma(1, 1.5, 100) * fold[fine] * np.exp(rng.normal(0, 0.3, (len(fine), 1)))
    return rng.poisson(rate).astype(np.float32), np.repeat(np.arange(3), size * N_TRUE)


def as_kind(counts: np.ndarray, kind: str) -> np.ndarray:
    if kind == "counts":
        return counts
    logs = np.log1p(counts / counts.sum(1, keepdims=True) * 1e3)
    if kind == "lognorm":
        return logs
    centered = logs - logs.mean(axis=0)
    return centered @ np.linalg.svd(centered, full_matrices=False)[2][:8].T


@pytest.mark.parametrize("kind", ["counts", "lognorm", "embedding"])
def test_planted_numbers_are_found(kind: str) -> None:
    counts, coarse = simulate(2, size=80)
    found = estimate_numbers(StartInput(as_kind(counts, kind), kind), coarse, rng=0, n_jobs=1, max_per_class=6)
    np.testing.assert_array_equal(found.estimate, N_TRUE)
    np.testing.assert_array_equal(found.stable, N_TRUE)
    assert {number.dtype for number in (found.stable, found.estimate)} == {np.dtype(np.int64)}


def test_the_curves_are_what_the_numbers_were_read_from() -> None:
    counts, coarse = simulate(1, size=80)
    found = estimate_numbers(StartInput(counts, "counts"), coarse, rng=0, n_jobs=1, max_per_class=6)
    assert found.support.shape == (3, 6)
    assert MOST_CLASSES * CELLS_PER_CLASS <= 3 * 80
    np.testing.assert_array_equal(
        np.isfinite(found.support).sum(axis=1), [5, 1, 4]
    )  # leaves but one: 80 cells carry up to 4, and one type has no parts of ten cells beyond two
    assert np.isnan(found.support[:, 0]).all()
    deepest = [max(np.flatnonzero(np.nan_to_num(row) > 1), default=0) + 1 for row in found.support]
    np.testing.assert_array_equal(found.estimate, deepest)
    for splits, size, row in zip(found.splits, np.bincount(coarse), found.support, strict=True):
        assert splits is not None
        assert len(splits.tree.leaves) == size
        np.testing.assert_array_equal(splits.evidence.support[::-1], row[np.isfinite(row)])


def test_noise_is_one_class() -> None:
    rng = np.random.default_rng(4)
    counts = rng.poisson(rng.gamma(1, 3, 80), (200, 80)).astype(np.float32)
    found = estimate_numbers(StartInput(counts, "counts"), np.arange(200) % 2, rng=0, n_jobs=1, max_per_class=6)
    np.testing.assert_array_equal(found.estimate, 1)


def test_same_seed_same_result_whatever_the_processes_and_the_storage(in_workers: list[str]) -> None:
    counts, coarse = simulate(2)
    first = estimate_numbers(StartInput(counts, "counts"), coarse, rng=3, n_jobs=1, max_per_class=3)
    for matrix, n_jobs in ((sparse.csr_matrix(counts), 2), (sparse.csc_matrix(counts), 1)):
        again = estimate_numbers(StartInput(matrix, "counts"), coarse, rng=3, n_jobs=n_jobs, max_per_class=3)
        np.testing.assert_array_equal(again.estimate, first.estimate)
        np.testing.assert_array_equal(again.support, first.support)
    assert "divide" in in_workers
    other = estimate_numbers(StartInput(counts, "counts"), coarse, rng=4, n_jobs=1, max_per_class=3)
    assert (other.support != first.support).any()


def test_small_classes_stay_whole() -> None:
    counts, coarse = simulate(2)
    coarse[coarse == 1] = 0
    coarse[:15], coarse[15] = 1, 3
    found = estimate_numbers(StartInput(counts, "counts"), coarse, rng=0, n_jobs=1, max_per_class=3)
    for number in (found.stable, found.estimate):
        np.testing.assert_array_equal(number[[1, 3]], 1)


def test_one_for_each_class_needs_no_fit() -> None:
    counts, coarse = simulate(2)
    found = estimate_numbers(StartInput(counts, "counts"), coarse, rng=0, n_jobs=1, max_per_class=1)
    np.testing.assert_array_equal(found.estimate, 1)
    np.testing.assert_array_equal(found.support, np.full((3, 1), np.nan))


def test_refusal() -> None:
    counts, coarse = simulate(2)
    with pytest.raises(ValueError, match="max_per_class is 0: give at least 1"):
        estimate_numbers(StartInput(counts, "counts"), coarse, rng=0, max_per_class=0)
