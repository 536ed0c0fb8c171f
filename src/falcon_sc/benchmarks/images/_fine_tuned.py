"""The methods of the fine-tuning benchmark: what they are trained by differs, the images, the network and the steps do not."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.benchmarks.images._clusterings import Outcome
from falcon_sc.benchmarks.images._lite0 import Frozen
from falcon_sc.benchmarks.images._methods import BOUND, METHODS, Method, _discover

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from falcon_sc.benchmarks.images._problem import Problem
    from falcon_sc.core.config import FalconConfig

BATCH = 64
_NEIGHBORS = 2  # drawn at each iteration, of 20: each is another image for the teacher (published code: 5)


def _steps(config: FalconConfig) -> FalconConfig:
    """The optimizer of CIFAR-100 in small batches, for more steps in the same time; its rate goes with their size."""
    assert config.batch_size is not None
    rate = config.lr * BATCH / config.batch_size
    return replace(config, batch_size=BATCH, lr=rate, n_neighbors_per_step=_NEIGHBORS)


def from_our_start(problem: Problem) -> FalconConfig:
    """Our start and losses."""
    from falcon_sc.vision.discovery import default_config

    return _steps(default_config(problem.views.size))


def with_its_labels(problem: Problem) -> FalconConfig:
    """The same, but the labels of the start stay in the loss, as on cells."""
    from falcon_sc.core.config import FalconConfig

    return replace(from_our_start(problem), lambda_start=FalconConfig.lambda_start)


def start_only(problem: Problem) -> FalconConfig:
    """Cross-entropy on the labels of our start, to the end: training without any loss of FALCON."""
    return replace(from_our_start(problem), lambda_1=0.0, lambda_2=0.0, lambda_3=0.0, lambda_start=1.0)


def text() -> FalconConfig:
    """The text of the paper: a random start, soft pseudo-labels, a constant balance penalty, fresh predictions for M."""
    from falcon_sc.core.config import FalconConfig

    return _steps(FalconConfig.cifar100())


def published() -> FalconConfig:
    """The published code: a random start, pseudo-labels that anneal to one class."""
    from falcon_sc.core.config import FalconConfig

    return _steps(FalconConfig.published("cifar100"))


def _frozen(problem: Problem) -> Outcome:
    backbone = Frozen(copy.deepcopy(problem.backbone))
    return _discover(replace(problem, backbone=backbone), from_our_start(problem), "frozen")


def _halves(problem: Problem) -> tuple[NDArray[np.int64], NDArray[np.str_]]:
    """Every other image is labeled by T2 (appendix I) instead of T1: the coarse labels, and the taxonomy of each."""
    from falcon_sc.vision.datasets import T2, with_taxonomy

    train = problem.train
    half = np.where(np.arange(len(train)) % 2 == 0, "T1", "T2")
    return np.where(half == "T1", train.coarse, with_taxonomy(train, T2).coarse), half


def _two_taxonomies(problem: Problem, config: FalconConfig, name: str) -> Outcome:
    """Scored under T1."""
    coarse, half = _halves(problem)
    return _discover(problem, config, name, coarse=coarse, dataset=half)


def _start_of_two_taxonomies(problem: Problem) -> Outcome:
    """The labels that training on both begins with; a test image gets the class with the nearest mean."""
    from scipy.spatial.distance import cdist

    from falcon_sc.core.model import Falcon

    coarse, half = _halves(problem)
    config = replace(from_our_start(problem), max_epochs=1)  # the start is wanted, not the training on features
    model = Falcon(problem.n_fine, config, device=problem.device, rng=problem.seed, progress_bar=False)
    labels = model.fit(problem.features, coarse, half).start_labels_
    assert labels is not None  # our start has some
    means = np.stack([problem.features[labels == k].mean(axis=0) for k in range(problem.n_fine)])
    distance = cdist(problem.test_features, means)
    relation = np.zeros((problem.n_fine, len(problem.train.coarse_names)), dtype=np.uint8)
    relation[labels[half == "T1"], coarse[half == "T1"]] = 1
    inside = np.where(relation.T[problem.test.coarse] == 1, distance, np.inf)
    return Outcome(labels, distance.argmin(axis=1), inside.argmin(axis=1), relation)


def _upper_bound(problem: Problem) -> Outcome:
    from falcon_sc.baselines import UpperBound
    from falcon_sc.core.start.input import StartInput
    from falcon_sc.vision import image_samples

    train, test = problem.train, problem.test
    config = replace(from_our_start(problem), max_epochs=problem.setting.epochs)
    model = UpperBound(
        problem.n_fine, config, network=problem.backbone, views=problem.views, device=problem.device, rng=problem.seed
    )
    samples = image_samples(train.images, device=problem.device)
    model.fit(samples, train.coarse, fine=train.fine, start_input=StartInput(problem.features, "embedding"))
    found = model.predict(image_samples(test.images, device=problem.device))
    return Outcome(None, found, found)  # the head alone, whatever the coarse class


FINE_TUNED = {
    "K-Means": METHODS["K-Means"],
    "K-Means (oracle)": METHODS["K-Means (oracle)"],
    "start alone": METHODS["start alone"],
    "start alone (two taxonomies)": Method(_start_of_two_taxonomies),
    "our start (features move)": Method(lambda p: _discover(p, from_our_start(p), "moving"), trains=True),
    "our start (labels kept)": Method(lambda p: _discover(p, with_its_labels(p), "kept"), trains=True),
    "our start (features frozen)": Method(_frozen, trains=True),
    "start's labels only (features move)": Method(lambda p: _discover(p, start_only(p), "labels"), trains=True),
    "random start (features move)": Method(lambda p: _discover(p, text(), "random"), trains=True),
    "random start (published code)": Method(lambda p: _discover(p, published(), "code"), trains=True),
    "our start (two taxonomies)": Method(lambda p: _two_taxonomies(p, from_our_start(p), "two-ours"), trains=True),
    "random start (two taxonomies)": Method(lambda p: _two_taxonomies(p, text(), "two-random"), trains=True),
    "fine labels (bound)": Method(_upper_bound, BOUND, trains=True),
}
