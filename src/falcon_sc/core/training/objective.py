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
    """`total` carries the gradient; the others are parts of it. The history has them in this order, under these names."""

    loss: Tensor
    loss_coarse: Tensor
    loss_nn: Tensor
    loss_conf: Tensor
    loss_reg: Tensor


class Scored(NamedTuple):
    """A batch of B samples and what student and teacher say of it; L neighbors of each sample were drawn."""

    samples: Tensor  # (B,), their indices
    children: Tensor  # (B, K_F), bool: fine classes of the coarse class of each sample
    membership: Tensor  # (B, K_C), its coarse class, one-hot
    log_p: Tensor  # (B, K_F), of the student
    log_p_neighbors: Tensor  # (B, L, K_F), of the teacher
    target: Tensor  # (B, K_F), pseudo-labels (eq. 7)


class Objective:
    """The loss of a batch.

    Parameters
    ----------
    config
        Weights of the terms.
    codes
        (N,) int64, column of M of each sample.
    shape
        (K_F, K_C), of M.
    labels
        (N,) int64, fine classes of the start; none for a random start.
    """

    def __init__(self, config: FalconConfig, codes: Tensor, shape: tuple[int, int], labels: Tensor | None) -> None:
        n_fine, n_coarse = shape
        self._config = config
        self._labels = labels
        self._coarse_shares = (torch.bincount(codes, minlength=n_coarse) / len(codes))[:, None]
        self._start_shares = torch.ones(n_fine, device=codes.device)
        if labels is not None:
            self._start_shares = torch.bincount(labels, minlength=n_fine).clamp_min(1) / len(labels)
            # rare classes hold on to their samples more firmly: their neighbors would absorb them (eq. 4)
            weight = self._start_shares[labels].rsqrt()
            self._anchor = weight / weight.mean()

    def prior(self, children: Tensor) -> Tensor:
        """Expected shares of the fine classes inside each coarse class, (K_C, K_F), for M' = `children`; rows sum to 1."""
        prior = children * self._start_shares**self._config.prior_power
        return prior / prior.sum(dim=1, keepdim=True)

    def expect_sizes(self, children: Tensor) -> None:
        """Begin the running class sizes, `mass` (K_C, K_F), anew where they should be for M' = `children`."""
        self.mass = self.prior(children) * self._coarse_shares

    def __call__(self, batch: Scored, children: Tensor) -> Terms:
        """Terms of a batch, with M' = `children`, (K_C, K_F), bool."""
        config = self._config
        log_p = batch.log_p
        coarse = losses.coarse_loss(log_p, batch.children)  # eq. 3
        neighbors = losses.neighbor_loss(log_p, batch.log_p_neighbors)  # eq. 4
        confidence = losses.confidence_loss(batch.target, log_p)  # eq. 6
        if config.prior == "uniform":
            log_mean = distributed.log_mean(losses.log_mean_prediction(log_p))
            regularizer = losses.entropy_regularizer(log_mean)  # eq. 9
        else:
            mass = distributed.mean(losses.class_mass(log_p, batch.children, batch.membership))
            self.mass = torch.lerp(mass.detach(), self.mass, _MASS_DECAY)
            regularizer = losses.prior_regularizer(mass, self.mass, self.prior(children))
        fine = config.lambda_nn * neighbors + config.lambda_conf * confidence  # eq. 8
        total = config.lambda_1 * coarse + config.lambda_2 * fine + config.lambda_3 * regularizer  # eq. 10
        if self._labels is not None and config.lambda_start > 0:
            anchor = F.nll_loss(log_p, self._labels[batch.samples], reduction="none") * self._anchor[batch.samples]
            total = total + config.lambda_start * anchor.mean()
        return Terms(total, coarse, neighbors, confidence, regularizer)
