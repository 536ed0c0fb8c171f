"""C of algorithm A1 as the text has it: predictions of f_theta, gathered afresh for each relation step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from falcon_sc.core.runtime import distributed
from falcon_sc.core.runtime.device import autocast

if TYPE_CHECKING:
    from torch import Tensor, nn

    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.training.data import TrainingData
    from falcon_sc.core.training.relation_step import RelationStep


class FreshPredictions:
    """Draws samples of each data set and gathers what the student, as it is now, predicts for them.

    Parameters
    ----------
    data
        Samples, their coarse classes and views.
    config
        How many batches of each data set, and of how many samples.
    """

    def __init__(self, data: TrainingData, config: FalconConfig) -> None:
        self._data = data
        self._precision = config.precision
        self._batch_size = config.samples_per_batch(len(data.samples))
        self._n_drawn = config.relation_batches * self._batch_size
        self._members = [
            torch.from_numpy(np.flatnonzero((data.codes >= block.start) & (data.codes < block.stop)))
            for block in data.taxonomy.blocks
        ]

    def draw(self, seed: tuple[int, int]) -> list[Tensor]:
        """Batches of distinct samples, of one data set after the other; of several processes each has its own share."""
        state = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> 1
        generator = torch.Generator().manual_seed(int(state))
        batches: list[Tensor] = []
        for members in self._members:
            chosen = members[torch.randperm(len(members), generator=generator)[: self._n_drawn]]
            own = chosen[distributed.rank() :: distributed.size()]
            batches += torch.split(own.to(self._data.samples.device), self._batch_size)
        return batches

    def gather(self, student: nn.Module, relation: RelationStep, seed: tuple[int, int]) -> None:
        """Add Y_oh and P, from plain views and without the noise of training, to what `relation` is solved from."""
        batches, samples = self.draw(seed), self._data.samples
        codes = torch.from_numpy(self._data.codes).to(samples.device)
        student.eval()
        with torch.no_grad():
            for index, rows in zip(batches, samples.stream(iter(batches)), strict=True):
                with autocast(samples.device, self._precision):
                    logits = student(self._data.views.plain(rows))
                membership = F.one_hot(codes[index], len(relation.children)).float()
                relation.gather(membership, logits.float().softmax(dim=1))
        student.train()
