"""The one training loop of the baselines: batches, views, steps. What sets a system apart is the loss it is given."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from falcon_sc.core.runtime.device import autocast
from falcon_sc.core.runtime.threads import threads_for_batches
from falcon_sc.core.training.learner import Learner
from falcon_sc.core.training.sampling import BatchSampler

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from falcon_sc.baselines._task import Task
    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.training.sampling import Batch

    # a batch and its rows, those of its neighbors last -> loss, a scalar
    Loss = Callable[[Batch, Any], Tensor]


class Loop:
    """One training of one network, with the optimizer, schedule, batches and length of the configuration.

    Parameters
    ----------
    task
        What is learned from.
    network
        Trained in place; its moving average is `learner.teacher`.
    neighbors
        (N, L), of which some are read with each sample; none: samples alone.
    config
        In place of that of the task.
    """

    def __init__(
        self,
        task: Task,
        network: nn.Module,
        *,
        neighbors: NDArray[np.int64] | None = None,
        config: FalconConfig | None = None,
    ) -> None:
        self._config = config or task.settings.config
        self._device = task.settings.device
        self._views = task.settings.views
        self._view_generator = task.generator(self._device)
        self._n_samples, self._n_features = len(task.samples), task.samples.n_features
        drawn_from = np.zeros((len(task.samples), 1), dtype=np.int64) if neighbors is None else neighbors
        self._batches = BatchSampler(task.samples, drawn_from, self._config, task.generator(self._device))
        self._n_without_neighbors = self._batches.per_epoch if neighbors is None else 0
        self.learner = Learner(network, self._config, self._device)

    def view(self, rows: Any) -> Any:
        """A random view of the rows, another one at each call."""
        return self._views.strong(rows, self._view_generator)

    def output(self, module: nn.Module, rows: Any) -> Any:
        """What a module gives for the rows, in the precision of the configuration."""
        with autocast(self._device, self._config.precision):
            return module(rows)

    def run(
        self,
        loss: Loss,
        *,
        before_epoch: Callable[[int], None] | None = None,
        after_step: Callable[[], None] | None = None,
    ) -> list[float]:
        """Descend to the end; returns the mean loss of each epoch.

        Raises
        ------
        FloatingPointError
            If the loss stops being finite.
        """
        n_epochs, per_epoch = self._config.n_epochs(self._n_samples), self._batches.per_epoch
        history: list[float] = []
        with threads_for_batches(self._batches.batch_size * self._n_features):
            for epoch in range(n_epochs):
                if before_epoch is not None:
                    before_epoch(epoch)
                self.learner.student.train()
                total = torch.zeros((), device=self._device)
                for step, (batch, rows) in enumerate(self._batches.epoch(self._n_without_neighbors)):
                    value = loss(batch, rows)
                    self.learner.descend(value, (epoch * per_epoch + step) / (n_epochs * per_epoch))
                    total += value.detach()
                    if after_step is not None:
                        after_step()
                history.append(float(total) / per_epoch)
                if not math.isfinite(history[-1]):
                    msg = f"training diverged in epoch {epoch + 1}: the loss is {history[-1]}. Lower lr of the config."
                    raise FloatingPointError(msg)
        self.learner.student.eval()
        return history
