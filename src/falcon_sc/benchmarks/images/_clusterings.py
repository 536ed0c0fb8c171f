"""Fine classes from features alone, without training: what the benchmark compares on any features of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from falcon_sc.core.model import Falcon

    Labels = NDArray[np.int64]


class Labeled(Protocol):
    """N samples with their classes, as codes (N,); `relation` is the true M, uint8 (K_F, K_C)."""

    @property
    def fine(self) -> Labels: ...
    @property
    def coarse(self) -> Labels: ...
    @property
    def relation(self) -> NDArray[np.uint8]: ...


class Embedded(Protocol):
    """Training samples, and test samples if there are any, with features (N, d) of both."""

    @property
    def train(self) -> Labeled: ...
    @property
    def test(self) -> Labeled | None: ...
    @property
    def features(self) -> NDArray[np.float32]: ...
    @property
    def test_features(self) -> NDArray[np.float32] | None: ...
    @property
    def n_fine(self) -> int: ...
    @property
    def seed(self) -> int: ...


@dataclass(frozen=True)
class Outcome:
    """Labels of the training images, of the test images, and of these where their coarse classes are known.

    `relation` is M, K_F x K_C; `model` the fitted one of FALCON. None: there is no such thing. `seconds_before` were
    spent on it before the run was interrupted.
    """

    train: Labels | None
    test: Labels | None
    test_known: Labels | None
    relation: NDArray[np.uint8] | None = None
    model: Falcon | None = None
    seconds_before: float = 0.0


def coarse_alone(problem: Embedded) -> Outcome:
    """The coarse labels, as if each coarse class had one fine class."""
    known = None if problem.test is None else problem.test.coarse
    return Outcome(problem.train.coarse, None, known, np.eye(problem.train.relation.shape[1], dtype=np.uint8))


def kmeans(problem: Embedded, n_fine: Any = None) -> Outcome:
    """K-Means inside each coarse class; `n_fine` in place of the total."""
    from falcon_sc.baselines import FairKMeans

    model = FairKMeans(problem.n_fine if n_fine is None else n_fine, rng=problem.seed)
    return nearest_means(problem, model.fit(problem.features, problem.train.coarse).labels_)


def kmeans_told(problem: Embedded) -> Outcome:
    """K-Means told the true number of fine classes of each coarse class."""
    return kmeans(problem, dict(enumerate(problem.train.relation.sum(axis=0).tolist())))


def start(problem: Embedded) -> Outcome:
    """The start of falcon_sc for images, before any training."""
    from falcon_sc.core.start.consensus_start import consensus_start
    from falcon_sc.core.start.input import StartInput

    given = StartInput(problem.features, "embedding")
    labels = consensus_start(given, problem.train.coarse, problem.n_fine, rng=problem.seed, equal_sizes=True).labels
    assert labels is not None  # a consensus always has some
    return nearest_means(problem, labels)


def nearest_means(problem: Embedded, labels: Labels) -> Outcome:
    """A clustering of the training images; a test image gets the class with the nearest mean of the features."""
    from scipy.spatial.distance import cdist

    n_fine = int(labels.max()) + 1
    relation = np.zeros((n_fine, problem.train.relation.shape[1]), dtype=np.uint8)
    relation[labels, problem.train.coarse] = 1
    if problem.test is None or problem.test_features is None:
        return Outcome(labels, None, None, relation)
    means = np.stack([problem.features[labels == k].mean(axis=0) for k in range(n_fine)])
    distance = cdist(problem.test_features, means)
    inside = np.where(relation.T[problem.test.coarse] == 1, distance, np.inf)
    return Outcome(labels, distance.argmin(axis=1), inside.argmin(axis=1), relation)
