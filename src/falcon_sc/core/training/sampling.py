"""Which samples a step of training takes: the batches of an epoch, and the neighbors drawn for each sample."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from falcon_sc.core.runtime import distributed

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from torch import Generator, Tensor

    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.data.batches import Samples, SparseRows


@dataclass(frozen=True)
class Batch:
    """`index`: (B,), the samples. `neighbors`: (B, n drawn) of each, none in the warm-up."""

    index: Tensor
    neighbors: Tensor | None

    @property
    def read(self) -> Tensor:
        """All samples to be read, those of the batch first."""
        return self.index if self.neighbors is None else torch.cat([self.index, self.neighbors.flatten()])


class BatchSampler:
    """Batches of a data set, in a new order every epoch.

    With several processes all of them draw the same batches, and each keeps its share.

    Parameters
    ----------
    samples
        Read one batch after the other; the draws are made as it asks for them.
    neighbors
        (N, L), what neighbors are drawn from.
    config
        Size of the batches, and how many neighbors are drawn.
    generator
        Source of all draws, on the device of the samples.
    """

    def __init__(
        self, samples: Samples, neighbors: NDArray[np.int64 | np.int32], config: FalconConfig, generator: Generator
    ) -> None:
        self._samples = samples
        self._neighbors = torch.from_numpy(neighbors).to(samples.device)
        self._n_drawn = min(config.n_neighbors_per_step or config.n_neighbors, neighbors.shape[1])
        self.generator = generator
        self.device = samples.device
        self.batch_size = config.samples_per_batch(len(samples))
        self.per_epoch = len(samples) // self.batch_size
        distributed.check_batch(self.batch_size)

    def epoch(self, n_warmup: int) -> Iterator[tuple[Batch, Tensor | SparseRows]]:
        """The batches of one epoch and their rows; the first `n_warmup` have no neighbors."""
        waiting: deque[Batch] = deque()

        def indices() -> Iterator[Tensor]:
            for batch in self._draw(n_warmup):
                waiting.append(batch)
                yield batch.read

        for rows in self._samples.stream(indices()):
            yield waiting.popleft(), rows

    def _draw(self, n_warmup: int) -> Iterator[Batch]:
        order = torch.randperm(len(self._samples), generator=self.generator, device=self.device)
        for i in range(self.per_epoch):
            index = order[i * self.batch_size : (i + 1) * self.batch_size]
            neighbors = None if i < n_warmup else distributed.own_share(self._draw_neighbors(index))
            yield Batch(distributed.own_share(index), neighbors)

    def _draw_neighbors(self, index: Tensor) -> Tensor:
        """Some of the neighbors of each sample, without repetition: (B, n drawn)."""
        keys = torch.rand(len(index), self._neighbors.shape[1], generator=self.generator, device=index.device)
        return self._neighbors[index].gather(1, keys.topk(self._n_drawn, dim=1).indices).long()
