from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from falcon_sc import FalconConfig
from falcon_sc.baselines import SCAN
from falcon_sc.baselines.scan import candidates, scan_loss

from .blobs import blobs
from .test_trained import make_task


def slow_loss(p, q, weight):
    """The formula, number by number: -(1/B) sum ln <p, q> - weight * H(mean p)."""
    n, k = p.shape
    consistency = sum(-math.log(max(sum(p[i, c] * q[i, c] for c in range(k)), math.exp(-100))) for i in range(n)) / n
    mean = [max(sum(p[i, c] for i in range(n)) / n, 1e-8) for c in range(k)]
    return consistency - weight * sum(-m * math.log(m) for m in mean)


@pytest.mark.parametrize("weight", [0.0, 5.0])
def test_loss_is_the_formula(rng, weight):
    p, q = rng.dirichlet(np.full(4, 0.3), (2, 6))
    found = scan_loss(torch.from_numpy(p).log(), torch.from_numpy(q).log(), weight)
    assert float(found) == pytest.approx(slow_loss(p, q, weight), rel=1e-10)


def test_opposite_neighbors_cost_no_more_than_a_hundred():
    log_p = torch.tensor([[0.0, -500.0]], dtype=torch.float64)
    assert float(scan_loss(log_p, log_p.flip(1), 0.0)) == 100


def test_neighbors_are_of_all_samples_and_the_sample_itself():
    X, coarse, _ = blobs()
    far = X[0] + 1e-3  # a sample of another coarse class right beside the first
    X, coarse = np.vstack([X, [far]]), np.append(coarse, "d" if coarse[0] != "d" else "a")
    task = make_task(X, coarse, 7, FalconConfig(metric="euclidean"))
    near = candidates(task, SCAN(7)._searched(task))
    assert near.shape == (len(X), 21)
    assert near[:, 0].tolist() == list(range(len(X)))
    assert near[0, 1] == len(X) - 1
