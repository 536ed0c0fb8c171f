from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from falcon_sc.baselines import TURTLE
from falcon_sc.baselines.turtle import turtle_loss

from .blobs import blobs
from .digits import digits


def slow_loss(logits, each):
    """The formula, number by number: cross-entropy of each space to the mean labels, less 10 times the entropies."""
    n, k = each[0].shape
    total = 0.0
    for scores in logits:
        for i in range(n):
            norm = math.log(sum(math.exp(s) for s in scores[i]))
            for c in range(k):
                total -= sum(labels[i, c] for labels in each) / len(each) * (scores[i, c] - norm) / n
    for labels in each:
        means = [sum(labels[i, c] for i in range(n)) / n for c in range(k)]
        total -= 10 * sum(-m * math.log(m) for m in means)
    return total


def test_loss_is_the_formula(rng):
    logits, each = rng.normal(size=(2, 5, 3)), rng.dirichlet(np.ones(3), (2, 5))
    found = turtle_loss(list(torch.from_numpy(logits)), list(torch.from_numpy(each)))
    assert float(found) == pytest.approx(slow_loss(logits, each), abs=1e-10)


def test_several_spaces_are_taken_together():
    X, coarse, _ = (part[:300] for part in digits())
    spaces = [X[:, :32], X[:, 32:]]
    model = TURTLE(10, n_steps=50).fit(spaces, coarse)
    assert np.array_equal(model.predict(spaces), model.labels_)
    assert not np.array_equal(model.predict([spaces[0], 0 * spaces[1]]), model.labels_)
    assert not np.array_equal(model.predict([0 * spaces[0], spaces[1]]), model.labels_)
    assert model.history_["loss"][-1] < model.history_["loss"][0]


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ([np.ones((4, 2)), np.ones((5, 2))], ValueError, r"the matrices of X have \[4, 5\] rows"),
        (np.ones(4), ValueError, "X must be a matrix"),
        (csr_matrix(np.ones((4, 2))), TypeError, "X must be a dense matrix"),
    ],
)
def test_bad_features_are_refused(X, error, message):
    with pytest.raises(error, match=message):
        TURTLE(2, n_steps=1).fit(X, list("aabb"))


@pytest.mark.parametrize(("n_steps", "error"), [(0, ValueError), (1.5, TypeError)])
def test_steps_are_counted(n_steps, error):
    with pytest.raises(error, match="n_steps must be"):
        TURTLE(2, n_steps=n_steps).fit(np.ones((4, 2)), list("aabb"))


def test_prediction_refuses_other_features():
    X, coarse, _ = blobs()
    with pytest.raises(ValueError, match="this TURTLE is not fitted: call fit"):
        TURTLE(7).predict(X)
    with pytest.raises(ValueError, match=r"X has \[1\] features, the model was fitted on \[2\]"):
        TURTLE(7, n_steps=1).fit(X, coarse).predict(X[:, :1])
