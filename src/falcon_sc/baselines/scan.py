"""SCAN: neighbors get the same class, all classes are used."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.baselines._assignment import by_head
from falcon_sc.baselines._loop import Loop
from falcon_sc.baselines._trained import Learned, TrainedBaseline
from falcon_sc.core.data.neighbors import neighbors_within_classes
from falcon_sc.core.settings.ranges import checked
from falcon_sc.core.training.losses import log_probabilities

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from falcon_sc.baselines._task import Task
    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.data.batches import Views
    from falcon_sc.core.training.networks import FineClassifier
    from falcon_sc.core.training.sampling import Batch

ENTROPY_WEIGHT = 5.0  # published, for CIFAR-20
_LOG_MIN = -100.0  # torch's binary cross-entropy, which the published code calls, goes no lower
_TINY = 1e-8  # smallest mean probability in the entropy, published


class SCAN(TrainedBaseline):
    """SCAN :cite:p:`Gansbeke2020`: a sample and a random neighbor get the same class, and all classes are used.

    The neighbors are searched among all samples; coarse labels play no part. The published losses and defaults, on the
    network, optimizer and length of the configuration; without the self-labeling that may follow.

    Parameters
    ----------
    n_fine
        Number of fine classes; of a mapping only the sum is used.
    config
        Network, optimizer, schedule, batches, number of neighbors and their distance. `None`: the network of the paper from random weights,
        `FalconConfig(min_iterations=1400, lr=5e-3, n_hidden=64, n_layers=4)`.
    entropy_weight
        Weight of the entropy of the mean prediction, at least 0. Default: published for CIFAR-20.
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
    >>> from falcon_sc.baselines import SCAN
    >>> X = np.random.default_rng(0).normal(size=(60, 5))
    >>> SCAN(4, FalconConfig(max_epochs=1)).fit(X, np.repeat(["a", "b"], 30)).labels_.shape
    (60,)
    """

    def __init__(
        self,
        n_fine: int | Mapping[Any, int],
        config: FalconConfig | None = None,
        *,
        entropy_weight: float = ENTROPY_WEIGHT,
        network: nn.Module | None = None,
        views: Views | None = None,
        device: str | torch.device | None = None,
        rng: int | np.random.Generator | None = 0,
    ) -> None:
        super().__init__(n_fine, config, network=network, views=views, device=device, rng=rng)
        self.entropy_weight = checked("entropy_weight", entropy_weight, float)

    def _learn(self, task: Task) -> Learned:
        classifier, losses = train_scan(task, task.n_fine, self._searched(task), self.entropy_weight)
        return Learned(by_head(task, classifier), losses)

    def _searched(self, task: Task) -> NDArray[np.int64]:
        """Neighbors are searched among the samples with the same number, (N,)."""
        return np.zeros_like(task.codes)


def train_scan(
    task: Task, n_fine: int, searched: NDArray[np.int64], entropy_weight: float
) -> tuple[FineClassifier, list[float]]:
    """A classifier of `n_fine` classes, and its losses; neighbors are searched inside the classes `searched`, (N,)."""
    config = replace(task.settings.config, n_neighbors_per_step=1)
    loop = Loop(task, classifier := task.classifier(n_fine), neighbors=candidates(task, searched), config=config)

    def loss(batch: Batch, rows: Any) -> Tensor:
        log_p = log_probabilities(loop.output(loop.learner.forward, loop.view(rows)))
        n_samples = len(batch.index)
        return scan_loss(log_p[:n_samples], log_p[n_samples:], entropy_weight)

    return classifier, loop.run(loss)


def candidates(task: Task, searched: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each sample and its neighbors inside its class of `searched`, (N, L + 1): the published code keeps the sample."""
    config = task.settings.config
    near = neighbors_within_classes(
        task.space,
        searched,
        config.n_neighbors,
        metric=config.metric,
        device=task.settings.device,
        n_jobs=config.n_jobs,
        rng=task.rng,
    ).indices
    return np.column_stack([np.arange(len(near)), near])


def scan_loss(log_p: Tensor, log_p_neighbors: Tensor, entropy_weight: float) -> Tensor:
    """Loss of samples and one neighbor of each, from log-probabilities (B, K) of both: a scalar."""
    consistency = (log_p + log_p_neighbors).logsumexp(dim=1).clamp_min(_LOG_MIN)
    mean = log_p.exp().mean(dim=0).clamp_min(_TINY)
    entropy = -(mean * mean.log()).sum()
    return -consistency.mean() - entropy_weight * entropy
