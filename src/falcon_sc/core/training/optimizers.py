"""AdamW and SGD by the functions of torch: its classes load its compiler with their first parameter, for which a first call would wait four seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

    from falcon_sc.core.config import FalconConfig

_BETAS, _EPS = (0.9, 0.999), 1e-8  # those of torch


class Optimizer:
    """The optimizer of the configuration.

    Parameters
    ----------
    parameters
        What is trained. Those without a gradient stay as they are.
    config
        Which optimizer, its momentum and weight decay, and the first `lr`, which may be set before any step.
    """

    def __init__(self, parameters: Iterable[Tensor], config: FalconConfig) -> None:
        self._parameters = list(parameters)
        self._config = config
        self._states: dict[int, dict[str, Tensor]] = {}  # by the number of the parameter
        self.lr: float = config.lr

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """One step against the gradients."""
        trained = [i for i, parameter in enumerate(self._parameters) if parameter.grad is not None]
        parameters = [self._parameters[i] for i in trained]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if self._config.optimizer == "sgd":
            self._sgd(trained, parameters, gradients)
        else:
            self._adamw(trained, parameters, gradients)

    def _sgd(self, trained: list[int], parameters: list[Tensor], gradients: list[Tensor]) -> None:
        momenta = [self._states.get(i, {}).get("momentum_buffer") for i in trained]
        sgd(
            parameters,
            gradients,
            momenta,
            foreach=True,
            weight_decay=self._config.weight_decay,
            momentum=self._config.momentum,
            lr=self.lr,
            dampening=0,
            nesterov=False,
            maximize=False,
        )
        self._states |= {
            i: {"momentum_buffer": own} for i, own in zip(trained, momenta, strict=True) if own is not None
        }

    def _adamw(self, trained: list[int], parameters: list[Tensor], gradients: list[Tensor]) -> None:
        for i, parameter in zip(trained, parameters, strict=True):
            if i not in self._states:
                averages = {name: torch.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}
                self._states[i] = {"step": torch.zeros((), dtype=torch.float32, device=parameter.device)} | averages
        states = [self._states[i] for i in trained]
        adamw(
            parameters,
            gradients,
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=True,  # a third of the time of `foreach`, for a network as small as that of cells
            amsgrad=False,
            beta1=_BETAS[0],
            beta2=_BETAS[1],
            lr=self.lr,
            weight_decay=self._config.weight_decay,
            eps=_EPS,
            maximize=False,
        )

    def state_dict(self) -> dict[str, Any]:
        """What later steps hang on."""
        return {"state": self._states, "lr": self.lr}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of :meth:`state_dict`."""
        self.lr = state["lr"]
        self._states = {
            i: {name: value.to(self._parameters[i].device) for name, value in own.items()}
            for i, own in state["state"].items()
        }
