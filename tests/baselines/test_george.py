from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from falcon_sc import FalconConfig
from falcon_sc.baselines import GEORGE
from falcon_sc.baselines.george import GroupWeights, grouped, reduced

from .digits import digits


def slow_robust(batches, sizes, adjustment):
    """The formula, group by group, over several batches: losses, and the weights at the end."""
    s, values = [0.0] * len(sizes), []
    for each, groups in batches:
        means = []
        for g in range(len(sizes)):
            own = [loss for loss, group in zip(each, groups, strict=True) if group == g]
            means.append(sum(own) / len(own) if own else 0.0)
        s = [s[g] + 0.01 * (means[g] + adjustment / math.sqrt(sizes[g])) for g in range(len(sizes))]
        total = sum(map(math.exp, s))
        q = [math.exp(x) / total for x in s]
        values.append(sum(a * b for a, b in zip(q, means, strict=True)))
    return values, q


@pytest.mark.parametrize("adjustment", [0.0, 3.0])
def test_robust_loss_is_the_formula(rng, adjustment):
    sizes = [40, 9, 25]
    batches = [(rng.exponential(size=8) * 20, rng.choice(3, 8)) for _ in range(30)]
    batches.append((rng.exponential(size=4), np.array([0, 0, 2, 2])))  # no sample of group 1
    weights = GroupWeights(torch.tensor(sizes), adjustment)
    weights._logits = weights._logits.double()
    values = [float(weights.robust_loss(torch.from_numpy(each), torch.from_numpy(groups))) for each, groups in batches]
    slow, q = slow_robust(batches, sizes, adjustment)
    assert values == pytest.approx(slow, rel=1e-6)
    assert weights.q.tolist() == pytest.approx(q, rel=1e-6)
    assert float(weights.q.sum()) == pytest.approx(1, abs=1e-12)


def test_weights_sum_to_one_and_groups_lie_in_one_coarse_class():
    X, coarse, _ = (part[:300] for part in digits())
    model = GEORGE(10, FalconConfig(max_epochs=2, n_hidden=8), reduction="none").fit(X, coarse)
    assert model.group_weights_.sum() == pytest.approx(1, abs=1e-6)
    assert (model.group_weights_ > 0).all()
    assert len(np.unique(model.groups_)) == len(model.group_weights_)
    assert all(len(np.unique(coarse[model.groups_ == g])) == 1 for g in range(len(model.group_weights_)))


def test_given_numbers_are_the_numbers_of_groups():
    X, coarse, _ = (part[:300] for part in digits())
    numbers = {"open": 3, "round": 4, "straight": 1}
    model = GEORGE(numbers, FalconConfig(max_epochs=1), reduction="none").fit(X, coarse)
    for name, n_groups in numbers.items():
        assert len(np.unique(model.groups_[coarse == name])) == n_groups


def test_the_number_of_groups_has_the_best_mean_silhouette(rng):
    centers = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [9.0, 9.0]])
    truth = np.repeat(np.arange(4), [60, 30, 20, 10])
    found = grouped(centers[truth] + rng.normal(size=(120, 2)), None, 0)
    assert len(np.unique(found)) == 4
    assert len(np.unique(np.column_stack([truth, found]), axis=0)) == 4


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_class_too_small_to_be_split_is_one_group_or_two(n):
    assert grouped(np.arange(float(n))[:, None], None, 0).max() <= 1
    assert grouped(np.zeros((n, 2)), 3, 0).tolist() == [0] * n


def test_umap_gives_two_dimensions_of_large_classes_only():
    X, _, fine = digits()
    points = X[np.isin(fine, [0, 1])][:80]
    found = reduced(points, 0)
    assert found.shape == (80, 2)
    assert np.array_equal(found, reduced(points, 0))
    assert reduced(points[:11], 0) is not None
    assert reduced(points[:11], 0).shape == (11, 64)


def test_refuses_another_reduction():
    with pytest.raises(ValueError, match="reduction='pca' must be one of"):
        GEORGE(10, reduction="pca")
