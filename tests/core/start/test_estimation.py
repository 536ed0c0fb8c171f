from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from falcon_sc.core.start.estimation import (
    CELLS_COUNTED,
    between,
    estimate_numbers,
    information_criterion,
    most_stable,
    reproduced_support,
)
from falcon_sc.core.start.input import StartInput
from falcon_sc.core.start.mixtures.merging import merge_down
from falcon_sc.core.start.representation.class_representations import ClassRepresentations

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
def test_planted_numbers_are_found_in_a_narrow_range(kind: str) -> None:
    counts, coarse = simulate(2, size=60)
    found = estimate_numbers(StartInput(as_kind(counts, kind), kind), coarse, rng=0, n_jobs=1, max_per_class=6)
    np.testing.assert_array_equal(found.estimate, N_TRUE)
    assert (found.stable <= N_TRUE).all()
    assert (found.supported >= N_TRUE).all()
    assert (found.supported - found.stable <= 1).all()
    assert (found.stable <= found.estimate).all()
    assert (found.estimate <= found.supported).all()
    assert {number.dtype for number in (found.stable, found.estimate, found.supported)} == {np.dtype(np.int64)}


def test_curves() -> None:
    counts, coarse = simulate(1)
    found = estimate_numbers(StartInput(counts, "counts"), coarse, rng=0, n_jobs=1, max_per_class=6)
    assert found.stability.shape == found.support.shape == (3, 6)
    tried = np.array([6, 5, 6])  # 135, 45 and 90 cells, 8 for each fine class
    np.testing.assert_array_equal(np.isfinite(found.stability).sum(axis=1), tried)
    np.testing.assert_array_equal(np.isfinite(found.support).sum(axis=1), tried)
    np.testing.assert_array_equal(found.stability[:, 0], 1)
    np.testing.assert_array_equal(found.support[:, 0], 0)
    np.testing.assert_array_equal(found.supported, np.maximum(found.stable, np.nanargmax(found.support, axis=1) + 1))


def test_noise_is_one_class() -> None:
    rng = np.random.default_rng(4)
    counts = rng.poisson(rng.gamma(1, 3, 80), (200, 80)).astype(np.float32)
    found = estimate_numbers(StartInput(counts, "counts"), np.arange(200) % 2, rng=0, n_jobs=1, max_per_class=6)
    np.testing.assert_array_equal(found.estimate, 1)
    np.testing.assert_array_equal(found.supported, 1)


def test_same_seed_same_result_whatever_the_jobs_and_the_storage() -> None:
    counts, coarse = simulate(2)
    first = estimate_numbers(StartInput(counts, "counts"), coarse, rng=3, n_jobs=1, max_per_class=3)
    for matrix, n_jobs in ((sparse.csr_matrix(counts), 2), (sparse.csc_matrix(counts), 1)):
        again = estimate_numbers(StartInput(matrix, "counts"), coarse, rng=3, n_jobs=n_jobs, max_per_class=3)
        np.testing.assert_array_equal(again.stability, first.stability)
        np.testing.assert_array_equal(again.support, first.support)
    other = estimate_numbers(StartInput(counts, "counts"), coarse, rng=4, n_jobs=1, max_per_class=3)
    assert (other.support != first.support).any()


def test_small_classes_stay_whole() -> None:
    counts, coarse = simulate(2)
    coarse[coarse == 1] = 0
    coarse[:15], coarse[15] = 1, 3
    found = estimate_numbers(StartInput(counts, "counts"), coarse, rng=0, n_jobs=1, max_per_class=3)
    for number in (found.stable, found.estimate, found.supported):
        np.testing.assert_array_equal(number[[1, 3]], 1)


def test_one_for_each_class_needs_no_fit() -> None:
    counts, coarse = simulate(2)
    found = estimate_numbers(StartInput(counts, "counts"), coarse, rng=0, n_jobs=1, max_per_class=1)
    np.testing.assert_array_equal(found.supported, 1)
    np.testing.assert_array_equal(found.stability, np.ones((3, 1)))


@pytest.mark.parametrize(
    ("stability", "k"),
    [
        ([1.0], 1),
        ([1.0, 0.4, 0.5], 1),
        ([1.0, 0.4, 0.51], 3),
        ([1.0, 0.9, 0.8, 0.9], 2),
        ([1.0, 0.7, 0.86, 0.9], 3),
        ([1.0, -0.1, -0.2], 1),
    ],
)
def test_most_stable(stability: list[float], k: int) -> None:
    assert most_stable(np.array(stability)) == k


def one_representation(X: np.ndarray) -> ClassRepresentations:
    return ClassRepresentations(dict.fromkeys(("log", "scaled", "pearson"), X), np.arange(len(X)))


def test_price_of_clusters_that_the_other_half_does_not_show() -> None:
    representations = one_representation(np.zeros((500, 30), dtype=np.float32))
    # 15 dimensions and a weight
    support = reproduced_support(np.full((8, 3), 7.0), [1, 2, 3], representations, 500)
    np.testing.assert_allclose(support, -16 * np.log(500) * np.arange(3))
    steep = reproduced_support(np.full((8, 3), 7.0) + np.arange(3), [1, 2, 3], representations, 4000)
    np.testing.assert_allclose(
        steep, (CELLS_COUNTED - 16 * np.log(CELLS_COUNTED)) * np.arange(3)
    )  # no more are counted


def test_criterion_without_counts_is_the_bic() -> None:
    X = np.random.default_rng(0).normal(size=(120, 4)).astype(np.float32)
    X[:60] += 5
    found = information_criterion(one_representation(X), [1, 2, 3], np.random.default_rng(1))
    likelihood = merge_down(X[None], [1, 2, 3], np.random.default_rng(1)).log_likelihood[0]
    parameters = 5 * np.arange(3)  # a weight and 4 means for each further cluster
    expected = 120 * (likelihood - likelihood[0]) - parameters * np.log(120) / 2
    np.testing.assert_allclose(found, expected, rtol=0.02, atol=2)
    assert found.argmax() == 1


def test_between_stays_between() -> None:
    low, high = (side.ravel() for side in np.meshgrid(np.arange(1, 21), np.arange(1, 21)))
    low, high = np.minimum(low, high), np.maximum(low, high)
    middle = between(low, high)
    assert ((low <= middle) & (middle <= high)).all()
    assert between(np.array([2]), np.array([16])).item() == 4


def test_refusal() -> None:
    counts, coarse = simulate(2)
    with pytest.raises(ValueError, match="max_per_class is 0: give at least 1"):
        estimate_numbers(StartInput(counts, "counts"), coarse, rng=0, max_per_class=0)
