"""What is compared on frozen features: clusterings, what learns a head on them, and FALCON from either start."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from falcon_sc.benchmarks.images._clusterings import Outcome, coarse_alone, kmeans, kmeans_told, nearest_means, start
from falcon_sc.benchmarks.paper._systems import N_PCS

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from numpy.typing import NDArray

    from falcon_sc.benchmarks.images._features import FeatureData
    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.model import Falcon


def epochs_of(n_samples: int) -> int:
    """Passes over the data in the paper's batches that take as many steps as the baselines have from random weights."""
    from falcon_sc.baselines._task import FROM_RANDOM_WEIGHTS

    return math.ceil(FROM_RANDOM_WEIGHTS.min_iterations / _text().iterations_per_epoch(n_samples))


@dataclass(frozen=True)
class FrozenProblem:
    """Samples of which methods read the features, the coarse classes and `n_fine`; the oracle M as well.

    `epochs` are for what trains on the paper's batches.
    """

    train: FeatureData
    test: FeatureData | None
    seed: int
    epochs: int
    device: torch.device

    @property
    def features(self) -> NDArray[np.float32]:
        """Of the training samples, (N, d)."""
        return self.train.features

    @property
    def test_features(self) -> NDArray[np.float32] | None:
        """Of the test samples, (N, d)."""
        return None if self.test is None else self.test.features

    @property
    def steps(self) -> int:
        """That many."""
        return self.epochs * _text().iterations_per_epoch(len(self.train))

    @property
    def n_fine(self) -> int:
        """Total number of fine classes."""
        return self.train.n_fine

    @cached_property
    def components(self) -> NDArray[np.float32]:
        """Principal components of the training features, (N, 50): for what cannot do with hundreds of features."""
        from falcon_sc.core.data.projection import fit_projection

        n_pcs = min(N_PCS, min(self.features.shape) - 1)
        return fit_projection(self.features, n_pcs, np.random.default_rng(self.seed))(self.features)


class Found(NamedTuple):
    """What a method found; and its steps and relation updates, if it trains."""

    outcome: Outcome
    steps: int | None = None
    relation_updates: int | None = None


def _clustered(find: Callable[[FrozenProblem], Outcome], problem: FrozenProblem) -> Found:
    return Found(find(problem))


def _mixture(problem: FrozenProblem) -> Found:
    from falcon_sc.baselines import FairMixture

    labels = FairMixture(problem.n_fine, rng=problem.seed).fit(problem.components, problem.train.coarse).labels_
    return Found(nearest_means(problem, labels))


def _turtle(problem: FrozenProblem) -> Found:
    """On components, for its time; it reads no coarse labels. Published are 6,000 steps."""
    from falcon_sc.baselines import TURTLE

    model = TURTLE(problem.n_fine, n_steps=problem.steps, device=problem.device, rng=problem.seed)
    return Found(Outcome(model.fit(problem.components, problem.train.coarse).labels_, None, None), problem.steps)


def _scan_c(problem: FrozenProblem) -> Found:
    from falcon_sc.baselines import SCANC

    model: Any = SCANC(
        problem.n_fine, replace(_published(), max_epochs=problem.epochs), device=problem.device, rng=problem.seed
    )
    model.fit(problem.features, problem.train.coarse)
    return Found(_of_model(model, problem, None), problem.steps)


def _falcon(config: Callable[[], FalconConfig], problem: FrozenProblem) -> Found:
    """On the paper's batches, for as many steps as all of them."""
    from falcon_sc.core.model import Falcon

    model = Falcon(
        problem.n_fine, replace(config(), max_epochs=problem.epochs), device=problem.device, rng=problem.seed
    )
    return _trained(model.fit(problem.features, problem.train.coarse), problem)


def _discover(problem: FrozenProblem) -> Found:
    """What a user gets."""
    from falcon_sc.vision import discover

    model = discover(
        problem.features,
        problem.train.coarse,
        problem.n_fine,
        device=problem.device,
        rng=problem.seed,
        progress_bar=False,
    )
    return _trained(model, problem)


def _trained(model: Falcon, problem: FrozenProblem) -> Found:
    history = model.history_
    outcome = _of_model(model, problem, model.relation_)
    return Found(outcome, int(history["iteration"][-1]), int(history["relation_updates"].sum()))


def _of_model(model: Any, problem: FrozenProblem, relation: NDArray[np.uint8] | None) -> Outcome:
    """Labels of a model with the interface of `Falcon`."""
    if problem.test is None:
        return Outcome(model.labels_, None, None, relation)
    X = problem.test.features
    return Outcome(model.labels_, model.predict(X), model.predict(X, problem.test.coarse), relation)


def _text() -> FalconConfig:
    from falcon_sc.core.config import FalconConfig

    return FalconConfig.cifar100()


def _published() -> FalconConfig:
    from falcon_sc.core.config import FalconConfig

    return FalconConfig.published("cifar100")


def _from_our_start(config: Callable[[], FalconConfig]) -> FalconConfig:
    """The losses of the paper from our start, whose numbers of fine classes are kept, and predicted among as by ours."""
    from falcon_sc.core.config import FalconConfig

    ours = FalconConfig()
    names = ("start", "lambda_M", "max_grad_norm", "restrict_to_coarse")
    return replace(config(), **{name: getattr(ours, name) for name in names})


METHODS: dict[str, Callable[[FrozenProblem], Found]] = {
    "coarse labels alone": partial(_clustered, coarse_alone),
    "K-Means": partial(_clustered, kmeans),
    "Gaussian mixture": _mixture,
    "TURTLE": _turtle,
    "SCAN-C": _scan_c,
    "FALCON (text), random start": partial(_falcon, _text),
    "FALCON (published code), random start": partial(_falcon, _published),
    "start alone": partial(_clustered, start),
    "FALCON (text), our start": partial(_falcon, partial(_from_our_start, _text)),
    "FALCON (published code), our start": partial(_falcon, partial(_from_our_start, _published)),
    "falcon_sc": _discover,
    "K-Means (oracle)": partial(_clustered, kmeans_told),
}
