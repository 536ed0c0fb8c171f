from __future__ import annotations

import numpy as np
import pytest
import torch

from falcon_sc.vision.moco.lars import LARS


def _slow_step(weights, gradients, velocities, *, lr, momentum, decay, trust):
    """The formula, a tensor at a time, in float64."""
    for i, (w, g) in enumerate(zip(weights, gradients, strict=True)):
        d = g
        if w.ndim > 1:
            d = g + decay * w
            norm_w, norm_g = np.sqrt((w**2).sum()), np.sqrt((g**2).sum())
            if norm_w > 0 and norm_g > 0:
                local = trust * norm_w / (norm_g + decay * norm_w)
                d = d * min(local / lr, 1)
        velocities[i] = momentum * velocities[i] + d
        weights[i] = w - lr * velocities[i]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3], ids=["clipped", "between", "scaled"])
def test_steps(scale: float, rng: np.random.Generator) -> None:
    shapes = [(4, 3, 3, 3), (4,), (5, 4), (5,), (2, 2)]
    weights = [rng.normal(size=shape) for shape in shapes]
    weights[4][:] = 0  # a layer of zeros takes the plain step
    parameters = [torch.nn.Parameter(torch.tensor(weight)) for weight in weights]
    settings = {"lr": 0.3, "momentum": 0.9}
    optimizer = LARS(parameters, **settings, weight_decay=1e-2, trust=0.02)
    velocities = [np.zeros(shape) for shape in shapes]
    before = [weight.copy() for weight in weights]
    for _ in range(4):
        gradients = [scale * rng.normal(size=shape) for shape in shapes]
        gradients[2][:] = 0  # and so does one without a gradient
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = torch.tensor(gradient)
        optimizer.step()
        _slow_step(weights, gradients, velocities, **settings, decay=1e-2, trust=0.02)
    for parameter, expected, start in zip(parameters, weights, before, strict=True):
        np.testing.assert_allclose(parameter.detach().numpy(), expected, rtol=1e-9)
        assert np.abs(expected - start).max() > 0


def test_biases_alone() -> None:
    bias = torch.nn.Parameter(torch.ones(3))
    bias.grad = torch.full((3,), 2.0)
    LARS([bias], lr=0.5, momentum=0.9, weight_decay=1.0).step()
    assert bias.tolist() == [0, 0, 0]


def test_parameters_without_a_gradient_stay() -> None:
    used, unused = torch.nn.Parameter(torch.ones(2, 2)), torch.nn.Parameter(torch.ones(2, 2))
    used.grad = torch.ones(2, 2)
    LARS([used, unused], lr=0.5, momentum=0.9, weight_decay=1.0).step()
    assert torch.equal(unused, torch.ones(2, 2))
    assert not torch.equal(used, torch.ones(2, 2))
