from __future__ import annotations

import numpy as np
import pytest
from scipy.special import xlogy
from sklearn.metrics import adjusted_rand_score

from falcon_sc.core.start.mixtures import merging
from falcon_sc.core.start.mixtures.em import expectation_maximization, likeliest_starts
from falcon_sc.core.start.mixtures.kmeans import kmeans_labels
from falcon_sc.core.start.mixtures.tied import TiedSteps


def one_hot(labels: np.ndarray, k: int) -> np.ndarray:
    return (labels == np.arange(k)[:, None]).astype(np.float64)


def test_merging_down_finds_a_small_distinct_group() -> None:
    """Two small groups beside a wide one: K-Means cuts the wide one; a merge from above leaves them."""
    rng = np.random.default_rng(5)
    truth = np.repeat([0, 1, 2], [1000, 40, 40])
    X = rng.normal(size=(1080, 3)) * [6, 1, 1] + np.array([[0, 0, 0], [0, 9, 0], [0, 0, 9]])[truth]
    X -= X.mean(axis=0)
    paths = merging.merge_down(X[None], np.array([3]), rng)
    assert adjusted_rand_score(truth, paths.mixtures[0].predict(X[None])[0]) > 0.95


def test_merge_joins_the_two_closest() -> None:
    X = np.array([[0.0, 0], [0.1, 0], [5, 0], [5.1, 0], [5.2, 0.4], [5.3, 0.4]] * 5)
    start = one_hot(np.tile([0, 0, 1, 1, 2, 2], 5), 3)
    steps = TiedSteps(X[None])
    steps.floor = np.array([0.1])
    fitted = steps.maximize(start[None])
    merged = merging.merge_closest(fitted, start[None])[0]
    np.testing.assert_array_equal(merged.sum(axis=0), 1)
    np.testing.assert_array_equal(merged, one_hot(np.tile([0, 0, 1, 1, 1, 1], 5), 2))


def test_merge_costs_least_classification_likelihood() -> None:
    """Against the hard-assignment likelihood of every merge, computed from the data."""
    rng = np.random.default_rng(8)
    truth = np.repeat(np.arange(5), [80, 40, 30, 20, 10])
    X = rng.normal(size=(180, 3)) + 2 * rng.normal(size=(5, 3))[truth]
    X -= X.mean(axis=0)
    fitted = TiedSteps(X[None]).maximize(one_hot(truth, 5)[None])

    def likelihood(labels: np.ndarray) -> float:
        residual = X - np.stack([X[labels == k].mean(axis=0) for k in labels])
        weights = np.bincount(labels) / len(labels)
        return float(xlogy(weights, weights).sum() - 0.5 * np.linalg.slogdet(residual.T @ residual / len(X))[1])

    pairs = [(a, b) for a in range(5) for b in range(a + 1, 5)]
    best = max(pairs, key=lambda pair: likelihood(np.where(truth == pair[1], pair[0], truth)))
    found = merging.merge_closest(fitted, one_hot(truth, 5)[None])[0]
    assert adjusted_rand_score(found.argmax(axis=0), np.where(truth == best[1], best[0], truth)) == 1


def test_a_component_of_a_few_outliers_is_merged_first() -> None:
    """Though it lies farthest off, and its merge costs most."""
    rng = np.random.default_rng(9)
    truth = np.repeat([0, 1, 2], [200, 196, 4])
    X = rng.normal(size=(400, 3)) + np.array([[0, 0, 0], [3, 0, 0], [0, 60, 0]])[truth]
    X -= X.mean(axis=0)
    start = one_hot(truth, 3)
    merged = merging.merge_closest(TiedSteps(X[None]).maximize(start[None]), start[None])[0]
    groups = [set(truth[row > 0.5]) for row in merged]
    assert {2} not in groups
    assert merging.smallest_weight(400) * 400 > 4


def test_the_path_has_a_mixture_for_every_number_and_its_likelihood() -> None:
    rng = np.random.default_rng(6)
    truth = np.repeat([0, 1, 2], 60)
    X = (rng.normal(size=(180, 4)) + 6 * rng.normal(size=(3, 4))[truth]).astype(np.float32)
    X -= X.mean(axis=0)
    both = np.stack([X, X[::-1]])
    paths = merging.merge_down(both, range(1, 6), rng)
    for labels, own in zip(paths.mixtures[2].predict(both), (truth, truth[::-1]), strict=True):
        assert adjusted_rand_score(own, labels) > 0.95
    for k, mixtures, values in zip(range(1, 6), paths.mixtures, paths.log_likelihood.T, strict=True):
        assert mixtures.means.shape == (2, k, 4)
        np.testing.assert_allclose(values, TiedSteps(both).expect(mixtures)[0], atol=1e-3)
    gains = np.diff(paths.log_likelihood, axis=1)
    assert (gains[:, :2].min(axis=1) > 5 * gains[:, 2:].max(axis=1)).all()


def test_log_likelihoods_of_matrices_of_several_widths() -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(300, 4)).astype(np.float32)
    values = merging.log_likelihoods([X, X[:, :2], X], range(1, 4), rng)
    for row, d in zip(values, (4, 2, 4), strict=True):
        covariance = np.cov(X[:, :d].T, bias=True)
        about = -0.5 * (d * np.log(2 * np.pi) + np.linalg.slogdet(covariance)[1] + d)
        assert row[0] == pytest.approx(about, abs=0.02)  # the columns are about centered
        assert (row > row[0] - 0.01).all()


@pytest.mark.parametrize("k", [1, 5])
def test_a_path_of_one_number_even_where_there_are_no_more_samples(k: int) -> None:
    X = np.random.default_rng(7).normal(size=(5, 2))
    paths = merging.merge_down(X[None], [k], np.random.default_rng(0))
    assert np.isfinite(paths.log_likelihood).all()
    assert paths.mixtures[0].means.shape == (1, k, 2)


def test_gains_along_the_path_vary_less_between_seeds_than_those_of_fits_of_their_own() -> None:
    """On a class without borders, where starts end in different optima."""
    X = np.random.default_rng(0).normal(size=(600, 8)).astype(np.float32) * np.linspace(3, 1, 8, dtype=np.float32)
    ks, seeds = np.arange(2, 9), range(6)
    along = [merging.merge_down(X[None], ks, np.random.default_rng(seed)).log_likelihood[0] for seed in seeds]
    alone = [[_of_its_own(X, k, np.random.default_rng(100 * seed + k)) for k in ks] for seed in seeds]
    noise = [np.diff(curves, axis=1).std(axis=0).mean() for curves in (along, alone)]
    assert noise[0] < 0.7 * noise[1]


def _of_its_own(X: np.ndarray, k: int, rng: np.random.Generator) -> float:
    """The log-likelihood of one mixture, from the better of two K-Means starts."""
    steps = TiedSteps(np.stack([X, X]))
    starts = np.stack([one_hot(labels, k) for labels in kmeans_labels(steps.X, k, rng)]).astype(X.dtype)
    return float(
        expectation_maximization(steps.of(np.array([0])), likeliest_starts(steps, starts, 2)).log_likelihood[0]
    )
