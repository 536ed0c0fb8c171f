from __future__ import annotations

import numpy as np
import pytest

from falcon_sc.core.start.replication import REPRESENTATIONS, replication
from falcon_sc.core.start.representation.class_representations import ClassRepresentations


def representations_of(X: np.ndarray, names: tuple[str, ...] = ("log", "scaled", "pearson")) -> ClassRepresentations:
    return ClassRepresentations({name: X.astype(np.float32) for name in names}, np.arange(len(X)))


@pytest.mark.parametrize("names", [("log", "scaled", "pearson"), ("log", "scaled")])
def test_planted_clusters_come_back_in_the_other_half_and_further_ones_do_not(names: tuple[str, ...]) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(0, 4, (3, 6))[rng.integers(3, size=240)] + rng.normal(size=(240, 6))
    replicated = replication(representations_of(X, names), [1, 2, 3, 4, 6], rng)
    assert replicated.shape == (5,)
    assert replicated[0] == 1  # everything together
    assert replicated[2] > 0.97
    assert replicated[3:].max() < 0.9


def test_noise_has_no_clusters_that_come_back() -> None:
    rng = np.random.default_rng(1)
    assert replication(representations_of(rng.normal(size=(240, 6))), [2, 3, 5], rng).max() < 0.3


def test_each_representation_has_its_share() -> None:
    rng = np.random.default_rng(2)
    centers = np.array([[-6.0, 0], [6, 0]])
    clear, noise = centers[rng.integers(2, size=200)] + rng.normal(size=(200, 2)), rng.normal(size=(200, 2))
    representations = representations_of(clear)
    representations.scores["pearson"] = noise.astype(np.float32)
    replicated = replication(representations, [2], rng)[0]
    assert 1 - 1 / len(REPRESENTATIONS) - 0.1 < replicated < 0.9


def test_only_cells_learned_from_are_halved() -> None:
    rng = np.random.default_rng(3)
    X = np.where(np.arange(100)[:, None] % 2 == 0, 5.0, np.nan) * np.sign(rng.normal(size=(100, 2)))
    representations = ClassRepresentations({"log": X.astype(np.float32)}, np.arange(0, 100, 2))
    assert np.isfinite(replication(representations, [1, 2], rng)).all()
