"""Layer-wise adaptive rate scaling (You et al., 2017), the optimizer of MoCo-v3 for ResNets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor


class LARS(torch.optim.Optimizer):
    """Momentum SGD in which a layer moves at most by a share of its own norm.

    With gradient g, weights w and d = g + weight_decay w, a layer takes v <- momentum v + s d and w <- w - lr v, where
    s = min(trust ||w|| / (||g|| + weight_decay ||w||) / lr, 1). Biases and normalization layers (one-dimensional) take
    neither the scaling nor the decay. Scale, clipping and exclusions are solo-learn's for CIFAR.

    Parameters
    ----------
    parameters
        To train.
    lr
        Learning rate, above 0.
    momentum
        Of the velocity v.
    weight_decay
        Of the weights, not of biases and normalization layers.
    trust
        Largest change of a layer in one step, as a share of its norm.
    """

    def __init__(
        self, parameters: Iterable[Tensor], *, lr: float, momentum: float, weight_decay: float, trust: float = 0.02
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "trust": trust})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002 - torch's signature
        """One step, without waiting for the device."""
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            changes = self._scaled_gradients(weights, group)
            velocities = [self._velocity(weight) for weight in weights]
            torch._foreach_mul_(velocities, group["momentum"])
            torch._foreach_add_(velocities, changes)
            torch._foreach_add_(weights, velocities, alpha=-group["lr"])

    def _scaled_gradients(self, weights: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
        """Gradients, those of layers with their decay and scale."""
        decay, lr = group["weight_decay"], group["lr"]
        gradients: list[Tensor] = [weight.grad for weight in weights]  # type: ignore[misc]
        layers = [i for i, weight in enumerate(weights) if weight.ndim > 1]
        if not layers:
            return gradients
        inside = [weights[i] for i in layers]
        weight_norms = torch.stack(torch._foreach_norm(inside))
        gradient_norms = torch.stack(torch._foreach_norm([gradients[i] for i in layers]))
        share = group["trust"] * weight_norms / (gradient_norms + decay * weight_norms) / lr
        # a layer of zeros, or one without a gradient, takes the plain step
        scales = torch.where((weight_norms > 0) & (gradient_norms > 0), share.clamp(max=1), 1.0)
        moved = torch._foreach_add([gradients[i] for i in layers], inside, alpha=decay)
        torch._foreach_mul_(moved, list(scales.unbind()))
        for i, change in zip(layers, moved, strict=True):
            gradients[i] = change
        return gradients

    def _velocity(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if not state:
            state["velocity"] = torch.zeros_like(weight)
        velocity: Tensor = state["velocity"]
        return velocity
