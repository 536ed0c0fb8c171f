"""The student f_theta, its optimizer, and the teacher that follows it as a moving average (eq. 5)."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch

from falcon_sc.core.runtime import distributed
from falcon_sc.core.training import schedules
from falcon_sc.core.training.optimizers import Optimizer

if TYPE_CHECKING:
    from torch import Tensor, nn

    from falcon_sc.core.config import FalconConfig


class Learner:
    """Student and teacher.

    Parameters
    ----------
    classifier
        The student, on `device`; trained in place.
    config
        Optimizer, schedule and decay of the teacher.
    device
        Where it computes.
    """

    def __init__(self, classifier: nn.Module, config: FalconConfig, device: torch.device) -> None:
        self._config = config
        self._device = device
        self.student = distributed.with_joint_norms(classifier, device)
        self.teacher = copy.deepcopy(self.student).eval().requires_grad_(requires_grad=False)
        self.forward = distributed.with_joint_gradients(self.student, device)  # the student, for training
        self._optimizer = Optimizer(self.student.parameters(), config)
        # found once: a step is so short that looking for them takes a tenth of it
        self._parameters = tuple(self.teacher.parameters()), tuple(self.student.parameters())
        self._buffers = list(self.teacher.buffers()), list(self.student.buffers())

    @property
    def lr(self) -> float:
        """Learning rate of the last step."""
        return self._optimizer.lr

    def restart_teacher(self) -> None:
        """Begin the average anew where the student is."""
        self.teacher.load_state_dict(self.student.state_dict())

    def descend(self, loss: Tensor, progress: float) -> None:
        """One optimizer step at this share of the run, then the moving average of the weights (eq. 5)."""
        self._optimizer.lr = schedules.learning_rate(progress, self._config)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if self._config.max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._parameters[1], self._config.max_grad_norm)
        self._optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(*self._parameters, 1 - self._config.gamma)  # eq. 5
            averages, buffers = self._buffers
            if self._device.type != "cuda":  # there each process has batch statistics of its own
                distributed.take_from_lead(buffers)
            for average, now in zip(averages, buffers, strict=True):
                average.copy_(now)

    def state_dict(self) -> dict[str, Any]:
        """Weights of both, and the state of the optimizer."""
        return {
            "student": self.student.state_dict(),
            "teacher": self.teacher.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of :meth:`state_dict`."""
        self.student.load_state_dict(state["student"])
        self.teacher.load_state_dict(state["teacher"])
        self._optimizer.load_state_dict(state["optimizer"])
