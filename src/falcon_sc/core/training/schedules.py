"""What changes over a run, as pure functions of the share of it that is done (0 to 1)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from falcon_sc.core.config import FalconConfig


def learning_rate(progress: float, config: FalconConfig) -> float:
    """Learning rate: `n_cycles` cosines to `final_lr`, or a tenth after each milestone (paper, appendix G)."""
    if config.schedule == "cosine":
        within = progress * config.n_cycles % 1.0 if progress < 1 else 1.0
        return config.final_lr + (config.lr - config.final_lr) * 0.5 * (1 + math.cos(math.pi * within))
    passed = sum(progress >= milestone for milestone in config.milestones)
    return float(config.lr * 0.1**passed)


def target_softness(progress: float, config: FalconConfig) -> float:
    """Weight of the soft pseudo-label: 1 (eq. 7), or a cosine from 1 to 0, then 0 (published code)."""
    if not config.anneal_to_one_hot:
        return 1.0
    if progress >= config.anneal_share:
        return 0.0
    return 0.5 * (1 + math.cos(math.pi * progress / config.anneal_share))


def balance_weight(progress: float, config: FalconConfig) -> float:
    """Weight lambda_M of eq. 14: constant, or dropped once the pseudo-labels are hard (published code)."""
    return 0.0 if config.drop_lambda_M and progress >= config.anneal_share else config.lambda_M
