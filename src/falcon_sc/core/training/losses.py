"""The losses of the paper as pure functions of tensors, in log space.

Shapes: B samples of a batch, K fine classes, L neighbors. `log_p` are log-probabilities (B, K) of the student,
`children` is a boolean mask (B, K): which fine classes hang under the coarse label of each sample, i.e. the column
of M that belongs to it. A coarse class always has a child (eq. 15), so every restricted sum has a term.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from torch import Tensor


def log_probabilities(logits: Tensor) -> Tensor:
    """Log-softmax in float32 whatever the logits came in: half precision has no room for small probabilities."""
    return F.log_softmax(logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits, dim=-1)


def coarse_loss(log_p: Tensor, children: Tensor) -> Tensor:
    """Cross-entropy of the coarse label, eq. 3 (eq. 17 for several data sets): a scalar."""
    log_p_coarse = log_p.masked_fill(~children, -math.inf).logsumexp(dim=1)  # eq. 2, the row of the known label
    return -log_p_coarse.mean()  # eq. 3


def neighbor_loss(log_p: Tensor, log_p_neighbors: Tensor) -> Tensor:
    """Disagreement with the moving-average predictions (B, L, K) of the neighbors, eq. 4: a scalar."""
    return -(log_p.unsqueeze(1) + log_p_neighbors).logsumexp(dim=2).mean()  # eq. 4


def sharpened_target(logits: Tensor, children: Tensor, temperature: float) -> Tensor:
    """Distribution over the children of the coarse label, sharpened, from moving-average logits, eq. 7: (B, K)."""
    logits = logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits
    return (logits / temperature).masked_fill(~children, -math.inf).softmax(dim=1)  # eq. 7


def annealed_target(target: Tensor, softness: float) -> Tensor:
    """Blend of the target with its own hard label: `softness` 1 is eq. 7, 0 the argmax (published code)."""
    hard = torch.zeros_like(target).scatter_(1, target.argmax(dim=1, keepdim=True), 1.0)
    return torch.lerp(hard, target, softness)


def confidence_loss(target: Tensor, log_p: Tensor) -> Tensor:
    """Cross-entropy of the predictions to the target, eq. 6: a scalar."""
    return -(target * log_p).sum(dim=1).mean()  # eq. 6


def log_mean_prediction(log_p: Tensor) -> Tensor:
    """Logarithm of the mean prediction of the batch: (K,)."""
    return log_p.logsumexp(dim=0) - math.log(len(log_p))


def entropy_regularizer(log_mean: Tensor) -> Tensor:
    """Distance of the mean prediction, given as its logarithm (K,), from the uniform one, eq. 9: from 0 to ln K."""
    return math.log(len(log_mean)) + (log_mean.exp() * log_mean).sum()  # eq. 9


def class_mass(log_p: Tensor, children: Tensor, membership: Tensor) -> Tensor:
    """Share of the batch in each coarse class and each of its fine classes: (K_C, K), entries sum to 1.

    `membership` is (B, K_C), one-hot rows: the coarse class of each sample.
    """
    inside = log_p.masked_fill(~children, -math.inf).softmax(dim=1)  # p(f | x, y)
    return membership.T @ inside / log_p.shape[0]


def prior_divergence(mass: Tensor, prior: Tensor) -> Tensor:
    """Divergence of the class sizes inside each coarse class from a prior, in place of eq. 9: a scalar, at least 0.

    `sum_c w_c KL(prior inside c || sizes inside c)`, with `w_c` the share of the samples in `c`. It answers the paper's own
    remark (section 7) that long tails need a prior other than the uniform one. In this direction a fine class
    that loses its samples costs more and more; in the other one it could die cheaply.

    Parameters
    ----------
    mass
        (K_C, K), see :func:`class_mass`.
    prior
        (K_C, K), rows are distributions over the children of a coarse class, zero elsewhere.
    """
    expected = mass.sum(dim=1, keepdim=True) * prior
    tiny = torch.finfo(mass.dtype).tiny
    # a thousandth of what is expected is added to the mass: the slope stays finite, but does not vanish, at no mass
    log_ratio = expected.clamp_min(tiny).log() - (mass + 1e-3 * expected).clamp_min(tiny).log()
    return torch.where(expected > 0, expected * log_ratio, 0.0).sum()


def prior_regularizer(mass: Tensor, running_mass: Tensor, prior: Tensor) -> Tensor:
    """:func:`prior_divergence` of the running mass, with the gradient that it has in the mass of this batch.

    A batch holds few samples, or none, of a rare fine class: the divergence of its own sizes would be mostly noise.
    """
    running = running_mass.detach().requires_grad_()
    with torch.enable_grad():
        value = prior_divergence(running, prior)
        (slope,) = torch.autograd.grad(value, running)
    change = (slope * mass).sum()
    return value.detach() + change - change.detach()
