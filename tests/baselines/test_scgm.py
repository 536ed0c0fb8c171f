from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from falcon_sc import FalconConfig
from falcon_sc.baselines import SCGM
from falcon_sc.baselines.scgm import log_coarse, log_fine, scgm_loss, sinkhorn

from .digits import digits


def softmax(scores):
    total = sum(map(math.exp, scores))
    return [math.exp(s) / total for s in scores]


def unit(v):
    return v / math.sqrt(sum(x * x for x in v))


def slow_loss(e, fine, coarse, q, y):
    """The formula, sample by sample."""
    total = 0.0
    for i in range(len(e)):
        p_fine = softmax([float(unit(e[i]) @ unit(mu)) / 0.1 for mu in fine])
        p_coarse = softmax([float(unit(fine[q[i]]) @ unit(mu)) for mu in coarse])
        p_known = softmax([float(np.maximum(e[i], 0) @ mu) for mu in coarse])
        total += 0.5 * (-math.log(p_fine[q[i]]) - math.log(p_coarse[y[i]])) - math.log(p_known[y[i]])
    return total / len(e)


def test_loss_is_the_formula(rng):
    e, fine, coarse = rng.normal(size=(7, 5)), rng.normal(size=(4, 5)), rng.normal(size=(2, 5))
    q, y = rng.integers(4, size=7), rng.integers(2, size=7)
    found = scgm_loss(*map(torch.from_numpy, (e, fine, coarse, q, y)))
    assert float(found) == pytest.approx(slow_loss(e, fine, coarse, q, y), abs=1e-10)


def test_probabilities_are_the_formula(rng):
    e, fine, coarse = (torch.from_numpy(rng.normal(size=(n, 5))) for n in (3, 4, 2))
    for i in range(3):
        slow = softmax([float(unit(e[i]) @ unit(mu)) / 0.1 for mu in fine])
        assert log_fine(e, fine)[i].exp().tolist() == pytest.approx(slow, abs=1e-10)
    for z in range(4):
        slow = softmax([float(unit(fine[z]) @ unit(mu)) for mu in coarse])
        assert log_coarse(fine, coarse)[z].exp().tolist() == pytest.approx(slow, abs=1e-10)


@pytest.mark.parametrize("sharpness", [1.0, 5.0, 25.0])
def test_sinkhorn_has_its_marginals(rng, sharpness):
    kernel = sharpness * torch.from_numpy(rng.normal(size=(300, 8))).log_softmax(dim=1)
    plan = sinkhorn(kernel)
    assert (plan.sum(dim=1) * 300).numpy() == pytest.approx(np.ones(300), abs=1e-6)
    assert (plan.sum(dim=0) * 8).numpy() == pytest.approx(np.ones(8), abs=1e-6)
    assert (plan > 0).any(dim=1).all()


def slow_sinkhorn(log_kernel, n_sweeps):
    """The nearest matrix, one sweep after the other, in logarithms."""
    n_rows, n_columns = log_kernel.shape
    for _ in range(n_sweeps):
        log_kernel = log_kernel - np.logaddexp.reduce(log_kernel, axis=1)[:, None] - math.log(n_rows)
        log_kernel = log_kernel - np.logaddexp.reduce(log_kernel, axis=0) - math.log(n_columns)
    return np.exp(log_kernel)


@pytest.mark.parametrize("scale", [1.0, 20.0])
def test_sinkhorn_is_the_sweeps_one_after_the_other(rng, scale):
    log_kernel = scale * rng.normal(size=(60, 5)) + np.array([0, 1, -10, 200, -900])
    found = sinkhorn(torch.from_numpy(log_kernel)).numpy()
    assert found == pytest.approx(slow_sinkhorn(log_kernel, 3_000), abs=1e-6)
    assert found.sum(axis=0) * 5 == pytest.approx(np.ones(5), abs=1e-6)


def test_sinkhorn_keeps_what_has_its_marginals_and_underflows_nowhere():
    plan = torch.tensor([[0.3, 0.2], [0.2, 0.3]], dtype=torch.float64)
    torch.testing.assert_close(sinkhorn(plan.log()), plan, rtol=0, atol=1e-8)
    far = sinkhorn(plan.log() - torch.tensor([[5000.0], [100.0]], dtype=torch.float64))
    torch.testing.assert_close(far, plan, rtol=0, atol=1e-8)


def test_relation_is_that_of_the_components():
    X, coarse, _ = digits()
    model = SCGM(10, FalconConfig(max_epochs=5, n_hidden=64, n_layers=4)).fit(X, coarse)
    parents = model.coarse_names_[model.relation_.argmax(axis=1)]
    assert (parents[model.labels_] == coarse).mean() > 0.8
