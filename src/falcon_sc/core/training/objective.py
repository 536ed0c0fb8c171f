"""Eq. 10: the losses put together, with what they remember of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F

from falcon_sc.core.runtime import distributed
from falcon_sc.core.training import losses

if TYPE_CHECKING:
    from torch import Tensor

    from falcon_sc.core.config import FalconConfig

# Decay, per iteration, of the running class sizes that the prior is compared with.
_MASS_DECAY = 0.95


class Terms(NamedTuple):
    """`total` carries the gradient; the others are parts of it, in the order of the history."""

    total: Tensor
    coarse: Tensor
    neighbors: Tensor
    confidence: Tensor
    regularizer: Tensor


class Objective:
    """The loss of a batch.

    Parameters
    ----------
    config
        Weights of the terms.
    codes
        (N,) int64, column of M of each sample.
    n_coarse, n_fine
        Columns and rows of M.
    labels
        (N,) int64, fine classes of the start; none for a random start.
    """

    def __init__(self, config: FalconConfig, codes: Tensor, n_coarse: int, n_fine: int, labels: Tensor | None) -> None:
        self._config = config
        self._labels = labels
        self._coarse_shares = (torch.bincount(codes, minlength=n_coarse) / len(codes))[:, None]
        self._start_shares = torch.ones(n_fine, device=codes.device)
        if labels is not None:
            self._start_shares = torch.bincount(labels, minlength=n_fine).clamp_min(1) / len(labels)
            # rare classes hold on to their samples more firmly: their neighbours would absorb them (eq. 4)
            weight = self._start_shares[labels].rsqrt()
            self._anchor = weight / weight.mean()

    def set_children(self, children: Tensor) -> None:
        """Take a new M, given as its transpose (K_C, K_F), bool."""
        prior = children * self._start_shares**self._config.prior_power
        self._prior = prior / prior.sum(dim=1, keepdim=True)
        self.mass = self._prior * self._coarse_shares  # (K_C, K_F), running; begins where it should be

    def __call__(
        self,
        index: Tensor,
        log_p: Tensor,
        log_p_neighbors: Tensor,
        target: Tensor,
        children: Tensor,
        membership: Tensor,
    ) -> Terms:
        """Terms of the batch of the samples at `index`; shapes as in :mod:`falcon_sc.core.training.losses`."""
        config = self._config
        coarse = losses.coarse_loss(log_p, children)  # eq. 3
        neighbors = losses.neighbor_loss(log_p, log_p_neighbors)  # eq. 4
        confidence = losses.confidence_loss(target, log_p)  # eq. 6
        if config.prior == "uniform":
            log_mean = distributed.log_mean(losses.log_mean_prediction(log_p))
            regularizer = losses.entropy_regularizer(log_mean)  # eq. 9
        else:
            mass = distributed.mean(losses.class_mass(log_p, children, membership))
            self.mass = torch.lerp(mass.detach(), self.mass, _MASS_DECAY)
            regularizer = losses.prior_regularizer(mass, self.mass, self._prior)
        fine = neighbors + confidence  # eq. 8
        total = config.lambda_1 * coarse + config.lambda_2 * fine + config.lambda_3 * regularizer  # eq. 10
        if self._labels is not None and config.lambda_start > 0:
            anchor = F.nll_loss(log_p, self._labels[index], reduction="none") * self._anchor[index]
            total = total + config.lambda_start * anchor.mean()
        return Terms(total, coarse, neighbors, confidence, regularizer)
