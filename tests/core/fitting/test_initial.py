from __future__ import annotations

import numpy as np

from falcon_sc.core.config import FalconConfig
from falcon_sc.core.data.taxonomy import Taxonomy
from falcon_sc.core.fitting.initial import initialize
from falcon_sc.core.start.input import StartInput
from tests.core.planted import planted


def _initialize(data, coarse, dataset, budget, config):
    taxonomy = Taxonomy.of(coarse, dataset)
    codes = taxonomy.encode(coarse, dataset)
    rng = np.random.default_rng(0)
    start = StartInput(data.X, "embedding")
    return initialize(start, data.X, codes, taxonomy, budget, config, rng=rng, keeper=None, progress_bar=False), codes


def test_random_start_has_a_feasible_relation_and_no_labels():
    data = planted()
    initial, _ = _initialize(data, data.coarse, None, 8, FalconConfig(start="random"))
    assert initial.labels is None
    assert initial.relation.sum(axis=1).tolist() == [1] * 8
    assert (initial.relation.sum(axis=0) >= 1).all()


def test_random_start_keeps_given_numbers():
    data = planted()
    initial, _ = _initialize(data, data.coarse, None, np.array([1, 4, 2]), FalconConfig(start="random"))
    assert initial.relation.sum(axis=0).tolist() == [1, 4, 2]


def test_labels_of_the_start_lie_under_their_coarse_class():
    data = planted()
    initial, codes = _initialize(data, data.coarse, None, 6, FalconConfig())
    assert (initial.relation.argmax(axis=1)[initial.labels] == codes).all()
    assert len(initial.latents) == len(data.X)


def test_the_finest_data_set_leads_and_the_others_follow():
    data = planted(children=(2, 2, 2))
    dataset = np.where(np.arange(len(data.fine)) % 2 == 0, "leads", "follows")
    coarse = np.where(dataset == "leads", data.coarse, np.array(["x", "x", "x", "y", "y", "y"])[data.fine])
    initial, _ = _initialize(data, coarse, dataset, 6, FalconConfig())
    assert initial.relation.shape == (6, 5)
    from sklearn.metrics import adjusted_rand_score

    for name in ("leads", "follows"):
        rows = dataset == name
        assert adjusted_rand_score(data.fine[rows], initial.labels[rows]) > 0.8
