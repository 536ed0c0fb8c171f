"""What a baseline that trains a network is given: the samples of `Falcon`, with its network, views and settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from falcon_sc.core.config import FalconConfig
from falcon_sc.core.data.batches import SameViews, check_views
from falcon_sc.core.fitting.prepare import prepare
from falcon_sc.core.runtime.device import resolve_device
from falcon_sc.core.settings.ranges import generator_of
from falcon_sc.core.state.inference import features_of
from falcon_sc.core.training.networks import build_classifier, build_mlp_classifier, check_network

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from falcon_sc.core.data.batches import Samples, SparseRows, Views
    from falcon_sc.core.data.projection import Projection
    from falcon_sc.core.data.taxonomy import Taxonomy
    from falcon_sc.core.fitting.problem import Problem
    from falcon_sc.core.training.networks import FineClassifier

# The network of the paper. `Falcon` learns labels that it was given; who begins with nothing takes longer.
FROM_RANDOM_WEIGHTS = FalconConfig(min_iterations=1400, lr=5e-3, n_hidden=64, n_layers=4)


@dataclass(frozen=True)
class Settings:
    """How a baseline computes: the arguments of its constructor, those of `falcon_sc.Falcon`."""

    config: FalconConfig
    network: nn.Module | None
    views: Views
    device: torch.device

    @classmethod
    def of(
        cls,
        config: FalconConfig | None,
        network: nn.Module | None,
        views: Views | None,
        device: str | torch.device | None,
    ) -> Settings:
        """Defaults in place of what is `None`."""
        if network is not None:
            check_network(network)
        views = views or SameViews()
        check_views(views)
        return cls(config or FROM_RANDOM_WEIGHTS, network, views, resolve_device(device))


@dataclass(frozen=True)
class Task:
    """N samples in K_C coarse classes, of which K_F fine ones are wanted."""

    settings: Settings
    samples: Samples  # as the network reads them
    space: Any  # (N, d), where neighbors are searched
    projection: Projection | None
    n_features: int
    taxonomy: Taxonomy
    codes: NDArray[np.int64]  # (N,), coarse class of each sample
    budget: int | NDArray[np.int64]  # K_F, or the number of fine classes of each coarse class
    rng: np.random.Generator

    @classmethod
    def of(cls, problem: Problem, settings: Settings, rng: int | np.random.Generator | None) -> Task:
        """Put the samples of a checked problem where they are read."""
        rng = generator_of(rng)
        prepared = prepare(problem, settings.config, settings.device, rng)
        return cls(
            settings,
            prepared.samples,
            prepared.space,
            prepared.projection,
            prepared.n_features,
            problem.taxonomy,
            problem.codes,
            problem.budget,
            rng,
        )

    @property
    def n_fine(self) -> int:
        """K_F."""
        return int(np.sum(self.budget))

    @property
    def n_coarse(self) -> int:
        """K_C."""
        return self.taxonomy.n_coarse

    def seed(self) -> int:
        """A new seed, from the generator of the task."""
        return int(self.rng.integers(2**31))

    def generator(self, device: torch.device | str = "cpu") -> torch.Generator:
        """A new source of draws."""
        return torch.Generator(device).manual_seed(self.seed())

    def on_device(self, array: NDArray[Any]) -> Tensor:
        """An array where the network computes."""
        return torch.from_numpy(array).to(self.settings.device)

    def classifier(self, n_out: int) -> FineClassifier:
        """The network of `Falcon` with `n_out` outputs and new weights: the MLP of the configuration, or the one given."""
        settings, generator = self.settings, self.generator()
        if settings.network is None:
            network = build_mlp_classifier(self.samples.n_features, n_out, settings.config, generator)
        else:
            network = build_classifier(settings.network, n_out, generator)
        return network.to(settings.device)

    def only(self, rows: NDArray[np.intp]) -> Task:
        """The same for some of the samples."""
        samples = Subset(self.samples, self.on_device(rows.astype(np.int64)))
        return replace(self, samples=samples, space=self.space[rows], codes=self.codes[rows])

    def embed(self, backbone: nn.Module, samples: Samples | None = None) -> NDArray[np.float32]:
        """What a backbone gives, (N, n_hidden), for the samples of the task or for others: one pass over them."""
        settings = self.settings
        backbone.eval()
        with torch.no_grad():
            blocks = features_of(backbone, samples or self.samples, settings.views, settings.config.precision)
            return np.concatenate([features.cpu().numpy() for _, features in blocks])


class Subset:
    """Some of the samples of others, which read them."""

    def __init__(self, samples: Samples, index: Tensor) -> None:
        self._samples = samples
        self._index = index
        self.n_features, self.device, self.block = samples.n_features, samples.device, samples.block

    def __len__(self) -> int:
        return len(self._index)

    def rows(self, index: Tensor) -> Tensor | SparseRows:
        """See :class:`falcon_sc.core.data.batches.Samples`."""
        return self._samples.rows(self._index[index])

    def stream(self, indices: Iterable[Tensor]) -> Iterator[Tensor | SparseRows]:
        """See :class:`falcon_sc.core.data.batches.Samples`."""
        return self._samples.stream(self._index[index] for index in indices)
