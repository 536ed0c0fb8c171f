"""SCGM: a mixture whose components hang under the coarse classes."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from falcon_sc.baselines._assignment import outputs
from falcon_sc.baselines._loop import Loop
from falcon_sc.baselines._projector import N_PROJECTED, Projector
from falcon_sc.baselines._trained import Learned, TrainedBaseline

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from falcon_sc.baselines._task import Task
    from falcon_sc.core.data.batches import Samples
    from falcon_sc.core.training.sampling import Batch

logger = logging.getLogger(__name__)

_TEMPERATURE = 0.1  # this and the next three: published
_ALPHA = 0.5  # weight of the fine terms
_SHARPNESS = 25.0  # power of the probabilities that are balanced
_EVERY = 5  # epochs between two assignments
_TOLERANCE = 1e-6  # relative, of the row sums; the published code stops at a change of 0.1
_MAX_SWEEPS = 1_000
_PRODUCTS = 24  # sweeps by products between two in logarithms, which take much longer


class SCGM(TrainedBaseline):
    """SCGM :cite:p:`Ni2022`, its generative variant, which gives fine classes directly.

    Fine classes are components of a mixture on the sphere, coarse classes directions that draw them. Every five epochs
    samples are assigned to components of equal size (Sinkhorn), with their coarse label in hand; in between the
    network learns these labels. Defaults of the model are the published ones, and network, optimizer and length those
    of the configuration. Samples are assigned without augmentation, and the Sinkhorn sweeps go on until the row sums are equal to 1e-6, 1,000 at most.

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
        Fine class of each sample, 0 to `n_fine` - 1, without a look at its coarse label.
    relation_ : uint8, (K_F, K_C)
        Most probable coarse class of each component; a coarse class may have none.
    coarse_names_ : (K_C,)
        Coarse classes.
    history_ : dict
        ``loss``, one value an epoch.

    Examples
    --------
    >>> import numpy as np
    >>> from falcon_sc import FalconConfig
    >>> from falcon_sc.baselines import SCGM
    >>> X = np.random.default_rng(0).normal(size=(60, 5))
    >>> SCGM(4, FalconConfig(max_epochs=1)).fit(X, np.repeat(["a", "b"], 30)).labels_.shape
    (60,)
    """

    def _learn(self, task: Task) -> Learned:
        network = _Network(task)
        loop, codes = Loop(task, network), task.on_device(task.codes)
        assigned = torch.zeros_like(codes)

        def assign_anew(epoch: int) -> None:
            if epoch % _EVERY == 0:
                e = task.on_device(outputs(network.projection, task.embed(network.backbone)))
                with torch.no_grad():
                    log_p = network.log_fine(e) + network.log_coarse()[:, codes].T  # (N, K_F)
                    assigned.copy_(sinkhorn(_SHARPNESS * log_p.double()).argmax(dim=1))

        def loss(batch: Batch, rows: Any) -> Tensor:
            e = loop.output(loop.learner.forward, loop.view(rows)).float()
            return scgm_loss(e, network.fine, network.coarse, assigned[batch.index], codes[batch.index])

        losses = loop.run(loss, before_epoch=assign_anew)

        def assign(samples: Samples, _codes: NDArray[np.int64]) -> NDArray[np.int64]:
            e = task.on_device(outputs(network.projection, task.embed(network.backbone, samples)))
            with torch.no_grad():
                return network.log_fine(e).argmax(dim=1).cpu().numpy()

        parents = network.log_coarse().argmax(dim=1).cpu().numpy()
        return Learned(assign, losses, np.eye(task.n_coarse, dtype=np.uint8)[parents])


class _Network(Projector):
    """Rows to e, (B, 128); `fine` (K_F, 128) and `coarse` (K_C, 128) are the means of the classes."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        generator, device = task.generator(), task.settings.device
        self.fine = _means(task.n_fine, generator, device)
        self.coarse = _means(task.n_coarse, generator, device)

    def log_fine(self, e: Tensor) -> Tensor:
        """Logarithm of p(z | x), (B, K_F)."""
        return log_fine(e, self.fine)

    def log_coarse(self) -> Tensor:
        """Logarithm of p(y | z), (K_F, K_C)."""
        return log_coarse(self.fine, self.coarse)


def _means(n_classes: int, generator: torch.Generator, device: torch.device) -> nn.Parameter:
    means = torch.empty(n_classes, N_PROJECTED)
    nn.init.xavier_uniform_(means, generator=generator)
    return nn.Parameter(means.to(device))


def log_fine(e: Tensor, fine: Tensor) -> Tensor:
    """Logarithm of p(z | x), (B, K_F), from e (B, d) and the means of the components (K_F, d)."""
    return (F.normalize(e, dim=1) @ F.normalize(fine, dim=1).T / _TEMPERATURE).log_softmax(dim=1)


def log_coarse(fine: Tensor, coarse: Tensor) -> Tensor:
    """Logarithm of p(y | z), (K_F, K_C), from the means of components and coarse classes."""
    return (F.normalize(fine, dim=1) @ F.normalize(coarse, dim=1).T).log_softmax(dim=1)


def scgm_loss(e: Tensor, fine: Tensor, coarse: Tensor, assigned: Tensor, codes: Tensor) -> Tensor:
    """Loss of a batch with components `assigned` (B,) and coarse classes `codes` (B,): a scalar."""
    of_fine = F.nll_loss(log_fine(e, fine), assigned)
    of_relation = F.nll_loss(log_coarse(fine, coarse)[assigned], codes)
    return _ALPHA * (of_fine + of_relation) + F.cross_entropy(e.relu() @ coarse.T, codes)


def sinkhorn(log_kernel: Tensor) -> Tensor:
    """The matrix nearest to a kernel, given by its logarithm (N, K), whose rows sum to 1/N and columns to 1/K.

    float64. The kernel may be as small as e^-1000, so that a sweep is made in logarithms; from the matrix that it gives,
    the next ones are products.
    """
    n_rows, n_columns = log_kernel.shape
    columns = torch.zeros(n_columns, dtype=log_kernel.dtype, device=log_kernel.device)
    for _ in range(_MAX_SWEEPS // (1 + _PRODUCTS)):
        rows = -math.log(n_rows) - (log_kernel + columns).logsumexp(dim=1)
        columns = -math.log(n_columns) - (log_kernel + rows[:, None]).logsumexp(dim=0)
        plan = (log_kernel + rows[:, None] + columns).exp()
        sums = plan.sum(dim=1) * n_rows
        if bool(((sums - 1).abs() < _TOLERANCE).all()):
            return plan
        of_columns = torch.ones_like(columns)  # no sum vanishes: one sweep changes none more than N K times
        for _ in range(_PRODUCTS):
            of_rows = 1 / (n_rows * (plan @ of_columns))
            of_columns = 1 / (n_columns * (of_rows @ plan))
        columns = columns + of_columns.log()
    logger.debug("Sinkhorn: row sums are not equal to 1e-6 after %d sweeps", _MAX_SWEEPS)
    return plan
