from __future__ import annotations

import numpy as np
from scipy.special import xlogy
from sklearn.metrics import adjusted_rand_score

from falcon_sc.core.start.mixtures import merging
from falcon_sc.core.start.mixtures.tied import Sweep, TiedMixture, TiedSteps


def one_hot(labels: np.ndarray, k: int) -> np.ndarray:
    return (labels == np.arange(k)[:, None]).astype(np.float64)


def test_merging_down_finds_a_small_distinct_group() -> None:
    """Two small groups beside a wide one: K-Means cuts the wide one; a merge from above leaves them."""
    rng = np.random.default_rng(5)
    truth = np.repeat([0, 1, 2], [1000, 40, 40])
    X = rng.normal(size=(1080, 3)) * [6, 1, 1] + np.array([[0, 0, 0], [0, 9, 0], [0, 0, 9]])[truth]
    X -= X.mean(axis=0)
    sweep = merging.merge_down(X, np.array([3]), rng)
    assert adjusted_rand_score(truth, sweep.mixtures[0].predict(X)) > 0.95


def test_merge_joins_the_two_closest() -> None:
    X = np.array([[0.0, 0], [0.1, 0], [5, 0], [5.1, 0], [5.2, 0.4], [5.3, 0.4]] * 5)
    start = one_hot(np.tile([0, 0, 1, 1, 2, 2], 5), 3)
    fitted = TiedSteps(X, floor=0.1).maximize(start)
    merged = merging.merge_closest(fitted, start)
    np.testing.assert_array_equal(merged.sum(axis=0), 1)
    np.testing.assert_array_equal(merged, one_hot(np.tile([0, 0, 1, 1, 1, 1], 5), 2))


def test_merge_costs_least_classification_likelihood() -> None:
    """Against the hard-assignment likelihood of every merge, computed from the data."""
    rng = np.random.default_rng(8)
    truth = np.repeat(np.arange(5), [80, 40, 30, 20, 10])
    X = rng.normal(size=(180, 3)) + 2 * rng.normal(size=(5, 3))[truth]
    X -= X.mean(axis=0)
    fitted = TiedSteps(X, floor=1e-9).maximize(one_hot(truth, 5))

    def likelihood(labels: np.ndarray) -> float:
        residual = X - np.stack([X[labels == k].mean(axis=0) for k in labels])
        weights = np.bincount(labels) / len(labels)
        return float(xlogy(weights, weights).sum() - 0.5 * np.linalg.slogdet(residual.T @ residual / len(X))[1])

    pairs = [(a, b) for a in range(5) for b in range(a + 1, 5)]
    best = max(pairs, key=lambda pair: likelihood(np.where(truth == pair[1], pair[0], truth)))
    found = merging.merge_closest(fitted, one_hot(truth, 5))
    assert adjusted_rand_score(found.argmax(axis=0), np.where(truth == best[1], best[0], truth)) == 1


def sweep(likelihood: list[float], label: int) -> Sweep:
    model = TiedMixture(np.zeros(1), np.full((1, 1), float(label)), np.eye(1), 0.0)
    n_k = len(likelihood)
    return Sweep(
        np.arange(1, n_k + 1),
        np.array(likelihood),
        (model,) * n_k,
        np.zeros(n_k, dtype=bool),
    )


def test_choose_follows_the_median_representation() -> None:
    plain = [sweep([0, 0, 0], 0)] * 3
    merged = [sweep([9, 9, 9], 1), sweep([0.2, 0.4, 9], 1), sweep([0.0, -5, -np.inf], 1)]
    found = merging.choose(plain, merged)
    taken = [[int(model.means[0, 0]) for model in s.mixtures] for s in found]
    assert taken == [[0, 1, 1], [0, 1, 1], [0, 1, 0]]
    assert [s.merged.tolist() for s in found] == [[bool(label) for label in own] for own in taken]
    np.testing.assert_array_equal(found[0].log_likelihood, [0, 9, 9])
    assert found[2].log_likelihood[2] == 0


def smallest_weights(sweep: Sweep) -> list[float]:
    return [float(np.exp(model.log_weights).min()) for model in sweep.mixtures]


def test_outliers_are_merged_first() -> None:
    rng = np.random.default_rng(9)
    X = rng.normal(size=(400, 3))
    X[:2] += 60
    sweep = merging.merge_down(X - X.mean(axis=0), np.array([2]), rng)
    assert smallest_weights(sweep)[0] > 10 * 2 / 400


def test_tiny_components_are_never_preferred() -> None:
    rng = np.random.default_rng(9)
    sweep = merging.merge_down(rng.normal(size=(40, 3)), np.array([1, 10]), rng)  # where 40 cells begin, and the end
    assert smallest_weights(sweep)[1] < merging.smallest_weight(40)
    np.testing.assert_array_equal(np.isneginf(sweep.log_likelihood), [False, True])
