"""The methods of the benchmark on images: each finds fine classes in the training images and labels the test images."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.benchmarks.images._clusterings import Outcome, coarse_alone, kmeans, kmeans_told, start

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from falcon_sc.benchmarks.images._problem import Problem
    from falcon_sc.core.config import FalconConfig

    Labels = NDArray[np.int64]

METHOD, ORACLE, BOUND = "method", "oracle", "bound"


@dataclass(frozen=True)
class Method:
    """A method; an oracle is told the number of fine classes of each coarse class, a bound the fine labels."""

    find: Callable[[Problem], Outcome]
    kind: str = METHOD
    trains: bool = False

    def __call__(self, problem: Problem) -> tuple[Outcome, float]:
        """What was found, and the seconds that took from the features on."""
        began = time.perf_counter()
        outcome = self.find(problem)
        return outcome, outcome.seconds_before + time.perf_counter() - began


def _falcon(problem: Problem) -> Outcome:
    from falcon_sc.vision.discovery import default_config

    return _discover(problem, default_config(problem.views.size), "falcon_sc")


def _free_sizes(problem: Problem) -> Outcome:
    """With the prior for cells: numbers and sizes of the fine classes are what the start finds, and its labels are kept."""
    from falcon_sc.core.config import FalconConfig
    from falcon_sc.vision.discovery import default_config

    config = replace(default_config(problem.views.size), prior="within_coarse", lambda_start=FalconConfig.lambda_start)
    return _discover(problem, config, "free-sizes")


def _published(problem: Problem) -> Outcome:
    from falcon_sc.core.config import FalconConfig

    return _discover(problem, FalconConfig.published("cifar100"), "published")


def _two_taxonomies(problem: Problem) -> Outcome:
    """Every other image is labeled by T2 (appendix I) instead of T1; scored under T1."""
    from falcon_sc.vision.datasets import T2, with_taxonomy
    from falcon_sc.vision.discovery import default_config

    train = problem.train
    half = np.where(np.arange(len(train)) % 2 == 0, "T1", "T2")
    coarse = np.where(half == "T1", train.coarse, with_taxonomy(train, T2).coarse)
    return _discover(problem, default_config(problem.views.size), "two-taxonomies", coarse=coarse, dataset=half)


def _discover(
    problem: Problem, config: FalconConfig, name: str, coarse: Labels | None = None, dataset: Any = None
) -> Outcome:
    from falcon_sc.core.runtime.checkpoint import seconds_spent
    from falcon_sc.vision import discover, image_samples

    train, test, folder = problem.train, problem.test, problem.checkpoint(name)
    seconds_before = 0.0 if folder is None else seconds_spent(folder)
    model = discover(
        train.images,
        train.coarse if coarse is None else coarse,
        problem.n_fine,
        backbone=problem.backbone,
        features=problem.features,
        views=problem.views,
        config=replace(config, max_epochs=problem.setting.epochs),
        dataset=dataset,
        device=problem.device,
        rng=problem.seed,
        progress_bar=False,
        checkpoint=folder,
    )
    samples = image_samples(test.images, device=problem.device)
    of = None if dataset is None else np.full(len(test), "T1")
    known = model.predict(samples, test.coarse, of)
    relation = model.relation_ if dataset is None else model.relations_["T1"]
    return Outcome(model.labels_, model.predict(samples), known, relation, model, seconds_before)


def _supervised(problem: Problem) -> Outcome:
    """The same backbone, views, optimizer and epochs, told the fine labels; not scored on the images it was told."""
    from falcon_sc.benchmarks.images._supervised import train_supervised

    scores, seconds_before = train_supervised(problem)
    inside = np.where(problem.train.relation.T[problem.test.coarse] == 1, scores, -np.inf)
    return Outcome(None, scores.argmax(axis=1), inside.argmax(axis=1), seconds_before=seconds_before)


METHODS = {
    "coarse labels alone": Method(coarse_alone),
    "K-Means": Method(kmeans),
    "start alone": Method(start),
    "FALCON, published settings": Method(_published, trains=True),
    "falcon_sc": Method(_falcon, trains=True),
    "falcon_sc, prior for cells": Method(_free_sizes, trains=True),
    "falcon_sc, two taxonomies": Method(_two_taxonomies, trains=True),
    "K-Means (oracle)": Method(kmeans_told, ORACLE),
    "supervised (bound)": Method(_supervised, BOUND, trains=True),
}
