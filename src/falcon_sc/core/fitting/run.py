"""How a fit computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.config import FalconConfig
from falcon_sc.core.data.batches import check_views
from falcon_sc.core.settings.ranges import check_rng
from falcon_sc.core.training.networks import check_network

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import nn

    from falcon_sc.core.data.batches import Views


def check_config(config: object) -> None:
    """Refuse what is no configuration."""
    if not isinstance(config, FalconConfig):
        msg = f"config must be a falcon_sc.FalconConfig, found {config!r}."
        raise TypeError(msg)


@dataclass(frozen=True)
class Run:
    """Settings of a fit; the arguments of :class:`falcon_sc.Falcon`, and the folder of its state."""

    config: FalconConfig
    device: torch.device
    rng: int | np.random.Generator | None
    network: nn.Module | None
    views: Views
    checkpoint: Path | None
    progress_bar: bool

    def __post_init__(self) -> None:
        """Refuse what is no configuration, no seed, no network or no views."""
        check_config(self.config)
        check_rng(self.rng)
        check_views(self.views)
        if self.network is not None:
            check_network(self.network)

    @property
    def identity(self) -> tuple[str, ...]:
        """What makes this run another run, beside its problem: a checkpoint of another one is refused.

        Of a generator it is what it was seeded with, which those that it spawns share: one that has spawned some in a
        run that was interrupted gives others the next time, and still goes on with it.
        """
        settings = {name: value for name, value in self.config.to_dict().items() if name != "n_jobs"}
        seed: object = self.rng
        if isinstance(self.rng, np.random.Generator):
            seed = getattr(self.rng.bit_generator.seed_seq, "entropy", None)
        return repr(settings), repr(seed), str(self.device)
