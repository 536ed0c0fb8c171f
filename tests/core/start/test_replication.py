from __future__ import annotations

import numpy as np
import pytest

from falcon_sc.core.start.replication import VIEWS, replication
from falcon_sc.core.start.representation.class_representations import ClassViews


def views_of(X: np.ndarray, names: tuple[str, ...] = ("log", "sc", "pr")) -> ClassViews:
    return ClassViews({name: X.astype(np.float32) for name in names}, np.arange(len(X)))


@pytest.mark.parametrize("names", [("log", "sc", "pr"), ("log", "sc")])
def test_planted_clusters_come_back_in_the_other_half_and_further_ones_do_not(names: tuple[str, ...]) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(0, 4, (3, 6))[rng.integers(3, size=240)] + rng.normal(size=(240, 6))
    found = replication(views_of(X, names), [1, 2, 3, 4, 6], rng)
    assert found.shape == (5,)
    assert found[0] == 1  # everything together
    assert found[2] > 0.97
    assert found[3:].max() < 0.9


def test_noise_has_no_clusters_that_come_back() -> None:
    rng = np.random.default_rng(1)
    assert replication(views_of(rng.normal(size=(240, 6))), [2, 3, 5], rng).max() < 0.3


def test_each_view_has_its_share() -> None:
    rng = np.random.default_rng(2)
    centres = np.array([[-6.0, 0], [6, 0]])
    clear, noise = centres[rng.integers(2, size=200)] + rng.normal(size=(200, 2)), rng.normal(size=(200, 2))
    views = views_of(clear)
    views.scores["pr"] = noise.astype(np.float32)
    found = replication(views, [2], rng)[0]
    assert 1 - 1 / len(VIEWS) - 0.1 < found < 0.9


def test_only_cells_learned_from_are_halved() -> None:
    rng = np.random.default_rng(3)
    X = np.where(np.arange(100)[:, None] % 2 == 0, 5.0, np.nan) * np.sign(rng.normal(size=(100, 2)))
    views = ClassViews({"log": X.astype(np.float32)}, np.arange(0, 100, 2))
    assert np.isfinite(replication(views, [1, 2], rng)).all()
