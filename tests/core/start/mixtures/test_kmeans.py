from __future__ import annotations

import numpy as np
from sklearn.metrics import adjusted_rand_score

from falcon_sc.core.start.mixtures.kmeans import kmeans_labels


def test_separated_groups_are_found() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(5), 40)
    X = rng.normal(0, 0.2, (200, 3)) + rng.normal(0, 5, (5, 3))[truth]
    assert adjusted_rand_score(truth, kmeans_labels(X[None], 5, rng)[0]) == 1


def test_every_sample_alone_where_k_is_n() -> None:
    X = np.random.default_rng(0).normal(size=(12, 2))
    labels = kmeans_labels(X[None], 12, np.random.default_rng(0))[0]
    assert len(np.unique(labels)) == 12


def test_duplicates_do_not_break_it() -> None:
    X = np.zeros((10, 2), dtype=np.float32)
    X[5:] = 1
    labels = kmeans_labels(X[None], 4, np.random.default_rng(0))[0]
    assert labels.min() >= 0
    assert labels.max() < 4
    assert len(np.unique(labels[:5])) == 1
    assert labels[0] != labels[5]
