"""The classifier f_theta: a backbone that gives features and a linear head that gives fine logits."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import nn

from falcon_sc.core.data.batches import SparseRows

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from falcon_sc.core.config import FalconConfig


class _SparseProduct(torch.autograd.Function):
    """Rows of a sparse matrix times a dense weight, without making the rows dense on the way forward."""

    @staticmethod
    def forward(ctx: Any, rows: SparseRows, weight: Tensor) -> Tensor:
        ctx.rows = rows
        return F.embedding_bag(rows.indices, weight, rows.offsets, mode="sum", per_sample_weights=rows.values)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[None, Tensor]:
        # a dense product of one batch is several times faster than the sparse gradient of embedding_bag
        return None, ctx.rows.to_dense().T @ grad_outputs[0]


class InputLinear(nn.Module):
    """First linear layer, for dense rows and for :class:`~falcon_sc.core.data.batches.SparseRows`.

    The weight is stored (features, hidden), the layout in which a sparse row adds up contiguous rows of it.
    """

    def __init__(self, n_features: int, n_hidden: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_features, n_hidden))
        self.bias = nn.Parameter(torch.empty(n_hidden))

    def forward(self, x: Tensor | SparseRows) -> Tensor:
        """(B, features) to (B, hidden)."""
        if isinstance(x, SparseRows):
            product: Tensor = _SparseProduct.apply(x, self.weight)
            return product + self.bias
        return torch.addmm(self.bias, x, self.weight)


class UndrawnLinear(nn.Linear):
    """A linear layer whose weights are still to be drawn: torch's own takes them from its global generator.

    `nn.utils.skip_init` does the same, by way of a second of imports.
    """

    def reset_parameters(self) -> None:
        """Called by the constructor of `nn.Linear`."""


class MLP(nn.Sequential):
    """The backbone for cells: linear layers, each followed by (batch normalization and) a ReLU (paper, appendix G)."""

    def __init__(self, n_features: int, *, n_hidden: int, n_layers: int, batch_norm: bool) -> None:
        layers: list[nn.Module] = []
        for i in range(n_layers):
            layers.append(InputLinear(n_features, n_hidden) if i == 0 else UndrawnLinear(n_hidden, n_hidden))
            if batch_norm:
                layers.append(nn.BatchNorm1d(n_hidden))
            layers.append(nn.ReLU(inplace=True))
        super().__init__(*layers)
        self.n_features_out = n_hidden


class FineClassifier(nn.Module):
    """f_theta (section 3.1): a backbone and a linear head over the K_F fine classes."""

    def __init__(self, backbone: nn.Module, n_hidden: int, n_fine: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = UndrawnLinear(n_hidden, n_fine)

    def forward(self, x: Tensor | SparseRows) -> Tensor:
        """Fine logits, (B, K_F)."""
        logits: Tensor = self.head(self.backbone(x))
        return logits


def build_mlp_classifier(n_features: int, n_fine: int, config: FalconConfig, generator: Generator) -> FineClassifier:
    """The MLP of the configuration with a linear head, its weights drawn from `generator`."""
    backbone = MLP(n_features, n_hidden=config.n_hidden, n_layers=config.n_layers, batch_norm=config.batch_norm)
    classifier = FineClassifier(backbone, config.n_hidden, n_fine)
    draw_weights(classifier, generator)
    return classifier


def check_network(network: nn.Module, argument: str = "network") -> int:
    """Number of features that a network gives.

    Raises
    ------
    ValueError
        If it does not say.
    """
    n_out = getattr(network, "n_features_out", None)
    if not isinstance(n_out, int):
        msg = (
            f"{argument} ({type(network).__name__}) has no attribute n_features_out: set it to the number of features in "
            "its output, which must be (B, n_features_out)."
        )
        raise ValueError(msg)
    return n_out


def build_classifier(network: nn.Module, n_fine: int, generator: Generator) -> FineClassifier:
    """A copy of `network`, as it is, with a linear head whose weights are drawn from `generator`."""
    classifier = FineClassifier(copy.deepcopy(network), check_network(network), n_fine)
    draw_weights(classifier.head, generator)
    return classifier


def draw_weights(module: nn.Module, generator: Generator) -> None:
    """Uniform in +-1/sqrt(inputs), torch's own rule for linear layers, without touching its global generator."""
    for layer in module.modules():
        if isinstance(layer, InputLinear | nn.Linear):
            fan_in = layer.weight.shape[0] if isinstance(layer, InputLinear) else layer.weight.shape[1]
            bound = 1 / math.sqrt(fan_in)
            for parameter in (layer.weight, layer.bias):
                nn.init.uniform_(parameter, -bound, bound, generator=generator)
