"""MoCo-v3 (Chen, Xie and He, 2021) for ResNets: two views, a predictor, and keys from a moving average."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import nn

from falcon_sc.core.runtime import distributed

if TYPE_CHECKING:
    from torch import Generator, Tensor

_N_HIDDEN = 4096  # of projector and predictor
_N_OUT = 256


class MoCo(nn.Module):
    """The encoder to train, and what training it needs.

    Parameters
    ----------
    encoder
        Images to features; has `n_features_out`. Trained in place.
    temperature
        tau.
    generator
        Draws the weights of projector and predictor, on the CPU.
    n_hidden
        Width of projector and predictor.
    n_out
        Width of queries and keys.
    """

    def __init__(
        self,
        encoder: nn.Module,
        *,
        temperature: float,
        generator: Generator,
        n_hidden: int = _N_HIDDEN,
        n_out: int = _N_OUT,
    ) -> None:
        super().__init__()
        n_features: int = encoder.n_features_out  # type: ignore[assignment]
        self.encoder = encoder
        self.projector = nn.Sequential(
            *_hidden(n_features, n_hidden, n_out, generator), nn.BatchNorm1d(n_out, affine=False)
        )
        self.predictor = nn.Sequential(*_hidden(n_out, n_hidden, n_out, generator))
        self.key_encoder = copy.deepcopy(encoder).requires_grad_(requires_grad=False)
        self.key_projector = copy.deepcopy(self.projector).requires_grad_(requires_grad=False)
        self._temperature = temperature

    def forward(self, first: Tensor, second: Tensor, momentum: float) -> Tensor:
        """The symmetric loss of two views (B, 3, S, S) of the same images; moves the keys' network first."""
        query_1 = self.predictor(self.projector(self.encoder(first)))
        query_2 = self.predictor(self.projector(self.encoder(second)))
        with torch.no_grad():
            self._move_keys(momentum)
            key_1 = self.key_projector(self.key_encoder(first))
            key_2 = self.key_projector(self.key_encoder(second))
        # L = 2 tau [CE(q1 k2^T / tau) + CE(q2 k1^T / tau)]
        return contrastive_loss(query_1, key_2, self._temperature) + contrastive_loss(query_2, key_1, self._temperature)

    def _move_keys(self, momentum: float) -> None:
        keys: list[Tensor] = [*self.key_encoder.parameters(), *self.key_projector.parameters()]
        queries: list[Tensor] = [*self.encoder.parameters(), *self.projector.parameters()]
        torch._foreach_lerp_(keys, queries, 1 - momentum)


def contrastive_loss(queries: Tensor, keys: Tensor, temperature: float) -> Tensor:
    """2 tau CE(q k^T / tau): query i belongs to key i; the other keys, of all processes, are its negatives.

    Parameters
    ----------
    queries, keys
        (B, D). No gradient flows into the keys.
    temperature
        tau.
    """
    with torch.autocast(queries.device.type, enabled=False):  # tau divides: 8 bits of bfloat16 are too few
        queries, keys = F.normalize(queries.float()), F.normalize(keys.detach().float())
        keys, first = distributed.gather_rows(keys)
        own = torch.arange(len(queries), device=queries.device) + first
        return 2 * temperature * F.cross_entropy(queries @ keys.T / temperature, own)


def key_momentum(progress: float, start: float) -> float:
    """Momentum of the keys' network: a cosine from `start` to 1 over the run (MoCo-v3)."""
    return 1 - (1 - start) * 0.5 * (1 + math.cos(math.pi * progress))


def _hidden(n_in: int, n_hidden: int, n_out: int, generator: Generator) -> list[nn.Module]:
    """Two linear layers without biases, normalization and a ReLU between them."""
    return [
        _linear(n_in, n_hidden, generator),
        nn.BatchNorm1d(n_hidden),
        nn.ReLU(inplace=True),
        _linear(n_hidden, n_out, generator),
    ]


def _linear(n_in: int, n_out: int, generator: Generator) -> nn.Module:
    """Weights as torch draws them, but from `generator` and not from the global one."""
    layer: Any = nn.utils.skip_init(nn.Linear, n_in, n_out, bias=False)  # type: ignore[no-untyped-call]
    nn.init.uniform_(layer.weight, -1 / math.sqrt(n_in), 1 / math.sqrt(n_in), generator=generator)
    return layer  # type: ignore[no-any-return]
