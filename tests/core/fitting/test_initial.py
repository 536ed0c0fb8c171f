from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from sklearn.neighbors import NearestCentroid

from falcon_sc.core.config import FalconConfig
from falcon_sc.core.data.batches import SameViews
from falcon_sc.core.fitting import initial
from falcon_sc.core.fitting.initial import _means, initialize
from falcon_sc.core.fitting.prepare import prepare
from falcon_sc.core.fitting.problem import Problem
from falcon_sc.core.fitting.run import Run
from falcon_sc.core.start.consensus_start import consensus_start
from falcon_sc.metrics import clustering_accuracy
from tests.core.planted import planted


def _initialize(X, coarse, dataset, n_fine, config):
    problem = Problem.of(X, coarse, n_fine, dataset=dataset)
    run = Run(config, torch.device("cpu"), 0, None, SameViews(), None, progress_bar=False)
    rng = np.random.default_rng(0)
    prepared = prepare(problem, config, run.device, rng)
    return initialize(problem, prepared, run, rng, None), problem.codes


def test_random_start_has_a_feasible_relation_and_no_labels():
    data = planted()
    initial, _ = _initialize(data.X, data.coarse, None, 8, FalconConfig(start="random"))
    assert initial.labels is None
    assert initial.relation.sum(axis=1).tolist() == [1] * 8
    assert (initial.relation.sum(axis=0) >= 1).all()


def test_random_start_keeps_given_numbers():
    data = planted()
    initial, _ = _initialize(
        data.X,
        data.coarse,
        None,
        dict(zip(np.unique(data.coarse), [1, 4, 2], strict=True)),
        FalconConfig(start="random"),
    )
    assert initial.relation.sum(axis=0).tolist() == [1, 4, 2]


def test_labels_of_the_start_lie_under_their_coarse_class():
    data = planted()
    initial, codes = _initialize(data.X, data.coarse, None, 6, FalconConfig())
    assert (initial.relation.argmax(axis=1)[initial.labels] == codes).all()
    assert len(initial.latents) == len(data.X)


def test_the_finest_data_set_leads_and_the_others_follow():
    data = planted(children=(2, 2, 2))
    dataset = np.where(np.arange(len(data.fine)) % 2 == 0, "leads", "follows")
    coarse = np.where(dataset == "leads", data.coarse, np.array(["x", "x", "x", "y", "y", "y"])[data.fine])
    initial, _ = _initialize(data.X, coarse, dataset, 6, FalconConfig())
    assert initial.relation.shape == (6, 5)
    from sklearn.metrics import adjusted_rand_score

    for name in ("leads", "follows"):
        rows = dataset == name
        assert adjusted_rand_score(data.fine[rows], initial.labels[rows]) > 0.8


def test_as_many_classes_as_samples_make_no_noise():
    """What scikit-learn warns of in classifiers of so many classes is no news to who asked for them."""
    labels, Z = np.repeat(np.arange(8), 1), np.random.default_rng(0).normal(size=(8, 3))
    np.testing.assert_allclose(_means(Z, labels), Z)
    np.testing.assert_allclose(_means(Z, np.zeros(8, dtype=int)), [Z.mean(axis=0)])
    np.testing.assert_allclose(_means(sparse.csr_matrix(np.repeat(Z, 2, axis=0)), np.repeat(labels, 2)), Z)


def test_those_that_follow_get_children_of_their_own_coarse_class():
    """Where fine classes overlap, the nearest of all is often one that the coarse label rules out."""
    rng = np.random.default_rng(0)
    fine = rng.permutation(np.repeat(np.arange(6), 150))
    X = (rng.normal(0, 1, (6, 12))[fine] + rng.normal(0, 1.4, (900, 12))).astype(np.float32)
    dataset = np.where(np.arange(900) % 2 == 0, "leads", "follows")
    leading, crossing = np.array(["a", "a", "b", "b", "c", "c"]), np.array(["x", "y", "z", "x", "y", "z"])
    coarse = np.where(dataset == "leads", leading[fine], crossing[fine])
    initial, codes = _initialize(X, coarse, dataset, 6, FalconConfig(prior="uniform"))
    assert (initial.relation[initial.labels, codes] == 1).all()
    follows = dataset == "follows"
    nearest = NearestCentroid().fit(X[~follows], initial.labels[~follows]).predict(X[follows])
    found, without = (clustering_accuracy(fine[follows], labels) for labels in (initial.labels[follows], nearest))
    assert found > without + 0.1


def test_the_configuration_reaches_the_start(monkeypatch):
    given = {}

    def spy(start_input, coarse, n_fine, **options):  # the real start, whose arguments are looked at
        given.update(options)
        return consensus_start(start_input, coarse, n_fine, **options)

    monkeypatch.setattr(initial, "consensus_start", spy)
    config = FalconConfig(n_jobs=1, start_n_genes=9, start_max_cells=50, start_n_repeats=2, prior="uniform")
    data = planted()
    start, _ = _initialize(data.X, data.coarse, None, 6, config)
    assert len(start.relation) == 6
    assert {name: given[name] for name in ("n_jobs", "n_genes", "max_cells", "n_repeats", "equal_sizes")} == {
        "n_jobs": 1,
        "n_genes": 9,
        "max_cells": 50,
        "n_repeats": 2,
        "equal_sizes": True,
    }
