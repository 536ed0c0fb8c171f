"""SNCA: samples of a coarse class are each other's neighbors, by a memory of all samples."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from falcon_sc.baselines._assignment import by_kmeans, outputs
from falcon_sc.baselines._loop import Loop
from falcon_sc.baselines._trained import Learned, TrainedBaseline

if TYPE_CHECKING:
    from torch import Tensor

    from falcon_sc.baselines._task import Task
    from falcon_sc.core.training.sampling import Batch

_TEMPERATURE = 0.05  # this and the next two: published
_MEMORY_DECAY = 0.5
_N_DIMS = 128
# Of a sample with one of the memory, at once: to be given the memory for all of them takes as long as the products.
_PAIRS = 1 << 22


class SNCA(TrainedBaseline):
    """Scalable neighborhood component analysis :cite:p:`Wu2018`, then K-Means on what it embeds, as the paper adapts it.

    Each sample draws one of the others with a probability that falls with their distance; one of its own coarse class
    should come out. A memory holds the embedding of every sample. Defaults of the loss are the published ones, and
    network, optimizer and length those of the configuration.

    Parameters
    ----------
    n_fine
        Number of fine classes; of a mapping only the sum is used.
    config
        Network, optimizer, schedule and batches. `None`: the network of the paper from random weights,
        `FalconConfig(min_iterations=1400, lr=5e-3, n_hidden=64, n_layers=4)`.
    network, views, device, rng
        As for :class:`falcon_sc.Falcon`.

    Attributes
    ----------
    labels_ : int64, (N,)
        Fine class of each sample, 0 to `n_fine` - 1.
    relation_ : uint8, (K_F, K_C)
        Coarse class of most of the samples of each fine class.
    coarse_names_ : (K_C,)
        Coarse classes.
    history_ : dict
        ``loss``, one value an epoch.

    Examples
    --------
    >>> import numpy as np
    >>> from falcon_sc import FalconConfig
    >>> from falcon_sc.baselines import SNCA
    >>> X = np.random.default_rng(0).normal(size=(60, 5))
    >>> SNCA(4, FalconConfig(max_epochs=1)).fit(X, np.repeat(["a", "b"], 30)).labels_.shape
    (60,)
    """

    def _learn(self, task: Task) -> Learned:
        network = task.classifier(_N_DIMS)  # its outputs are the embedding
        loop = Loop(task, network)
        of_class = F.one_hot(task.on_device(task.codes)).float()
        device = task.settings.device
        drawn = torch.rand(len(task.samples), _N_DIMS, generator=task.generator(device), device=device)
        memory = F.normalize(2 * drawn - 1, dim=1)
        new: list[tuple[Tensor, Tensor]] = []

        def loss(batch: Batch, rows: Any) -> Tensor:
            v = F.normalize(loop.output(loop.learner.forward, loop.view(rows)).float(), dim=1)
            new[:] = [(batch.index, v.detach())]
            return snca_loss(v, memory, batch.index, of_class)

        def remember() -> None:
            index, v = new[0]
            memory[index] = F.normalize(torch.lerp(v, memory[index], _MEMORY_DECAY), dim=1)

        losses = loop.run(loss, after_step=remember)
        return Learned(by_kmeans(task, network.backbone, lambda hidden: outputs(network.head, hidden)), losses)


def snca_loss(v: Tensor, memory: Tensor, index: Tensor, of_class: Tensor) -> Tensor:
    """How improbable it is that a sample draws one of its own class, itself left out: a scalar.

    Parameters
    ----------
    v
        (B, d), unit length.
    memory
        (N, d), unit length, of all samples.
    index
        (B,), which of them the samples are.
    of_class
        (N, K_C), coarse classes, one-hot, of the dtype of `v`. A sample that is alone in its class adds nothing.
    """
    n_parts = -(-len(v) * len(memory) // _PAIRS)
    parts = zip((v / _TEMPERATURE).chunk(n_parts), index.chunk(n_parts), strict=True)
    return -torch.stack([_log_p(own_v, memory, own_index, of_class) for own_v, own_index in parts]).sum() / len(v)


def _log_p(v: Tensor, memory: Tensor, index: Tensor, of_class: Tensor) -> Tensor:
    """Log probabilities, summed over the samples, that one of the own class is drawn; `v`: divided by the temperature."""
    # exponents are at most 1 / 0.05, which needs no logsumexp
    kernel = (v @ memory.T).scatter_(1, index[:, None], -math.inf).exp_()
    by_class = kernel @ of_class  # (B, K_C)
    own = (by_class * of_class[index]).sum(dim=1)
    alone = own == 0
    return (torch.where(alone, 1, own).log() - torch.where(alone, 1, by_class.sum(dim=1)).log()).sum()
