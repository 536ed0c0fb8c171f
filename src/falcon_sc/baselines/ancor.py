"""ANCOR: coarse classification, and contrast of angles inside each coarse class."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import nn

from falcon_sc.baselines._assignment import by_kmeans
from falcon_sc.baselines._loop import Loop
from falcon_sc.baselines._projector import N_PROJECTED, Projector
from falcon_sc.baselines._trained import Learned, TrainedBaseline
from falcon_sc.core.training.networks import UndrawnLinear, draw_weights

if TYPE_CHECKING:
    from torch import Tensor

    from falcon_sc.baselines._task import Task
    from falcon_sc.core.training.sampling import Batch

_TEMPERATURE = 0.2  # this and the next two: published
_KEY_DECAY = 0.999  # moving average of the encoder of the keys, per iteration
_QUEUE_MAX = 65_536  # keys that are kept of a coarse class
_QUEUE_MIN, _QUEUE_SHARE = 256, 4  # ours, for small classes: four times their samples, and at least this many


class ANCOR(TrainedBaseline):
    """ANCOR :cite:p:`Bukchin2021`, then K-Means on the features, as the paper adapts it.

    Cross-entropy of the coarse classes, and a contrast of two views of a sample with the other samples of its coarse
    class, in angles around the direction of that class. Views are the same sample unless `views` says otherwise, as
    for cells in the paper; then the contrast only drives samples apart.

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
    >>> from falcon_sc.baselines import ANCOR
    >>> X = np.random.default_rng(0).normal(size=(60, 5))
    >>> ANCOR(4, FalconConfig(max_epochs=1)).fit(X, np.repeat(["a", "b"], 30)).labels_.shape
    (60,)
    """

    def _learn(self, task: Task) -> Learned:
        network = _Network(task)
        loop = Loop(task, network, config=replace(task.settings.config, gamma=_KEY_DECAY))
        queues = Queues(torch.bincount(task.on_device(task.codes)).tolist(), N_PROJECTED, task.settings.device)
        codes = task.on_device(task.codes)
        new: list[tuple[Tensor, Tensor]] = []

        def loss(batch: Batch, rows: Any) -> Tensor:
            own = codes[batch.index]
            e, logits = loop.output(loop.learner.forward, loop.view(rows))
            with torch.no_grad():
                keys, _ = loop.output(loop.learner.teacher, loop.view(rows))
            new[:] = [(keys.float(), own)]
            directions = network.coarse.weight.detach().float()
            contrast = angular_contrast(e.float(), keys.float(), own, directions, queues.keys)
            return F.cross_entropy(logits.float(), own) + contrast

        losses = loop.run(loss, after_step=lambda: queues.push(*new[0]))
        return Learned(by_kmeans(task, network.projector.backbone), losses)


class _Network(nn.Module):
    """Rows to e, (B, 128), and coarse logits, (B, K_C)."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.projector = Projector(task)
        self.coarse = UndrawnLinear(N_PROJECTED, task.n_coarse)
        draw_weights(self.coarse, task.generator())
        self.coarse.to(task.settings.device)

    def forward(self, x: Any) -> tuple[Tensor, Tensor]:
        e = self.projector(x)
        return e, self.coarse(e.relu())


class Queues:
    """The latest keys of each coarse class, a ring each.

    Parameters
    ----------
    sizes
        Samples of each coarse class.
    """

    def __init__(self, sizes: list[int], n_dims: int, device: torch.device) -> None:
        capacities = [min(_QUEUE_MAX, max(_QUEUE_MIN, _QUEUE_SHARE * size)) for size in sizes]
        self._rings = [torch.empty(capacity, n_dims, device=device) for capacity in capacities]
        self._n_pushed = [0] * len(sizes)

    def keys(self, c: int) -> Tensor:
        """Keys of a class that are there, (n, d)."""
        return self._rings[c][: self._n_pushed[c]]

    def push(self, keys: Tensor, codes: Tensor) -> None:
        """Add keys (B, d) of samples of the classes `codes` (B,), in place of the oldest."""
        for c in torch.unique(codes).tolist():
            ring, own = self._rings[c], keys[codes == c]
            place = (self._n_pushed[c] + torch.arange(len(own), device=own.device)) % len(ring)
            ring[place[-len(ring) :]] = own[-len(ring) :]
            self._n_pushed[c] += len(own)


def angles(v: Tensor, direction: Tensor) -> Tensor:
    """Unit vectors from `direction` to `v`, (B, d), both taken at unit length: A_c(v)."""
    return F.normalize(F.normalize(v, dim=-1) - F.normalize(direction, dim=-1), dim=-1)


def angular_contrast(e: Tensor, keys: Tensor, codes: Tensor, directions: Tensor, negatives: Any) -> Tensor:
    """How little the two views of a sample stand out from the other samples of its class, in angles: a scalar.

    Parameters
    ----------
    e, keys
        (B, d), the two views.
    codes
        (B,), coarse classes.
    directions
        (K_C, d), of the coarse classes.
    negatives
        From a coarse class to its earlier keys, (n, d).
    """
    total = e.new_zeros(())
    for c in torch.unique(codes).tolist():
        own = codes == c
        query = angles(e[own], directions[c])
        positive = (query * angles(keys[own], directions[c])).sum(dim=1, keepdim=True)
        logits = torch.cat([positive, query @ angles(negatives(c), directions[c]).T], dim=1) / _TEMPERATURE
        total = total - logits.log_softmax(dim=1)[:, 0].sum()
    return total / len(e)
