"""A backbone with the two-layer projection that ANCOR and SCGM put on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from falcon_sc.core.training.networks import UndrawnLinear, draw_weights

if TYPE_CHECKING:
    from torch import Tensor

    from falcon_sc.baselines._task import Task

N_PROJECTED = 128  # dimensions, in both


class Projector(nn.Module):
    """Rows to e, (B, 128)."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        classifier = task.classifier(1)
        n_hidden = classifier.head.in_features
        self.backbone = classifier.backbone
        self.projection = nn.Sequential(
            UndrawnLinear(n_hidden, n_hidden), nn.ReLU(), UndrawnLinear(n_hidden, N_PROJECTED)
        )
        draw_weights(self.projection, task.generator())
        self.projection.to(task.settings.device)

    def forward(self, x: Any) -> Tensor:
        """e, (B, 128), not normalized."""
        projected: Tensor = self.projection(self.backbone(x))
        return projected
