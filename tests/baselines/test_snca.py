from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from falcon_sc.baselines import snca
from falcon_sc.baselines.snca import snca_loss


def slow_loss(v, memory, index, codes):
    """The formula, pair by pair: ln of the probability that a sample draws another one of its class."""
    total = 0.0
    for i, own in enumerate(index):
        weights = {j: math.exp(float(v[i] @ memory[j]) / 0.05) for j in range(len(memory)) if j != own}
        same = sum(weight for j, weight in weights.items() if codes[j] == codes[own])
        if same > 0:
            total -= math.log(same / sum(weights.values()))
    return total / len(index)


def unit(rng, *shape):
    v = rng.normal(size=shape)
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def one_hot(codes):
    return torch.from_numpy(np.eye(max(codes) + 1)[codes])


def loss(v, memory, index, codes):
    return float(snca_loss(*map(torch.from_numpy, (v, memory, index)), one_hot(codes)))


@pytest.mark.parametrize("codes", [[0, 0, 1, 1, 1, 0, 1, 0], [0, 0, 1, 2, 1, 0, 1, 0]])  # 2: alone in its class
def test_loss_is_the_formula(rng, codes):
    v, memory, index, codes = unit(rng, 4, 3), unit(rng, 8, 3), np.array([0, 3, 5, 6]), np.array(codes)
    assert loss(v, memory, index, codes) == pytest.approx(slow_loss(v, memory, index, codes), abs=1e-10)


def test_a_few_samples_at_a_time_have_the_same_loss_and_slope(rng, monkeypatch):
    v, memory, index, codes = unit(rng, 5, 3), unit(rng, 8, 3), torch.tensor([0, 3, 5, 6, 7]), [0, 0, 1, 1, 1, 0, 1, 0]
    found = []
    for pairs in (1 << 22, 16, 1):  # all, two rows, one row
        monkeypatch.setattr(snca, "_PAIRS", pairs)
        x = torch.from_numpy(v).requires_grad_()
        value = snca_loss(x, torch.from_numpy(memory), index, one_hot(codes))
        value.backward()
        found.append((value.item(), *x.grad.flatten().tolist()))
    assert found[1] == pytest.approx(found[0], abs=1e-12)
    assert found[2] == pytest.approx(found[0], abs=1e-12)


def test_the_sample_itself_is_left_out(rng):
    """Whatever the memory holds in its place: neither the loss nor the slope changes."""
    v, memory, codes = unit(rng, 1, 3), unit(rng, 6, 3), np.array([0, 0, 0, 1, 1, 1])
    slopes = []
    for own in (v, -v, unit(rng, 1, 3)):
        memory[2] = own[0]
        x = torch.from_numpy(v.copy()).requires_grad_()
        value = snca_loss(x, torch.from_numpy(memory), torch.tensor([2]), one_hot(codes))
        value.backward()
        slopes.append((value.item(), *x.grad.flatten().tolist()))
    assert slopes[0] == slopes[1] == slopes[2]


def test_a_sample_alone_in_its_class_has_no_slope_of_nan(rng):
    x = torch.from_numpy(unit(rng, 2, 3)).requires_grad_()
    snca_loss(x, torch.from_numpy(unit(rng, 4, 3)), torch.tensor([0, 1]), one_hot([0, 1, 1, 1])).backward()
    assert torch.isfinite(x.grad).all()
    assert (x.grad[0] == 0).all()
    only = x.detach()[:1].requires_grad_()
    snca_loss(only, torch.from_numpy(unit(rng, 4, 3)), torch.tensor([0]), one_hot([0, 1, 1, 1])).backward()
    assert (only.grad == 0).all()
