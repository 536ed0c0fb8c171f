"""Falcon with a network, views and samples that are no matrix."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from falcon_sc import Falcon, FalconConfig
from falcon_sc.core.data.batches import DenseSamples, SameViews
from falcon_sc.core.start.input import StartInput

from .planted import planted

CONFIG = FalconConfig(max_epochs=3, batch_size=64, warmup_iterations=4, n_neighbors=8)


class Network(nn.Sequential):
    def __init__(self, n_in=12):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            super().__init__(nn.Linear(n_in, 7), nn.BatchNorm1d(7), nn.ReLU())
        self.n_features_out = 7


class Doubled(SameViews):
    def plain(self, rows):
        return 2 * rows


@pytest.fixture(scope="module")
def data():
    return planted()


def _fit(data, X=None, **options):
    X = DenseSamples(data.X, torch.device("cpu")) if X is None else X
    start = StartInput(data.X[:, :10], "embedding")
    return Falcon(6, CONFIG, device="cpu", **options).fit(X, data.coarse, start_input=start)


def test_a_network_of_its_own(data, tmp_path):
    network = Network()
    weight = network[0].weight.detach().clone()
    model = _fit(data, network=network)
    assert model.embedding_.shape == (len(data.X), 7)
    assert torch.equal(network[0].weight, weight)
    model.save(tmp_path)
    loaded = Falcon.load(tmp_path, network=Network(), device="cpu")
    np.testing.assert_array_equal(loaded.predict(DenseSamples(data.X, torch.device("cpu")), data.coarse), model.labels_)
    with pytest.raises(ValueError, match=r"network of its own \(Network\): load it with network="):
        Falcon.load(tmp_path, device="cpu")
    with pytest.raises(ValueError, match="fitted without views of its own: leave views out"):
        Falcon.load(tmp_path, network=Network(), views=Doubled(), device="cpu")


def test_samples_and_the_matrix_of_them_train_the_same(data):
    """With no space of the start in between: neighbors come from the features in both."""
    config = replace(CONFIG, start="random", n_pcs=None)
    one = Falcon(6, config, device="cpu").fit(data.X, data.coarse)
    start = StartInput(data.X, "embedding")
    samples = DenseSamples(data.X, torch.device("cpu"))
    other = Falcon(6, config, device="cpu").fit(samples, data.coarse, start_input=start)
    np.testing.assert_array_equal(one.proba_, other.proba_)


def test_prediction_takes_the_plain_view(data):
    same, doubled = _fit(data, network=Network()), _fit(data, network=Network(), views=Doubled())
    assert not np.array_equal(same.embedding_, doubled.embedding_)
    np.testing.assert_array_equal(same.history_["loss"], doubled.history_["loss"])


def test_a_matrix_works_with_a_network_too(data):
    model = _fit(data, X=data.X, network=Network())
    assert model.embedding_.shape == (len(data.X), 7)
    np.testing.assert_array_equal(model.predict(data.X, data.coarse), model.labels_)


def test_what_is_missing_is_named(data):
    samples = DenseSamples(data.X, torch.device("cpu"))
    with pytest.raises(ValueError, match="X is no matrix: give start_input"):
        Falcon(6, CONFIG, device="cpu", network=Network()).fit(samples, data.coarse)
    start = StartInput(data.X[:-1], "embedding")
    with pytest.raises(ValueError, match=r"start_input has .* rows, X has"):
        Falcon(6, CONFIG, device="cpu", network=Network()).fit(samples, data.coarse, start_input=start)
    with pytest.raises(ValueError, match="has no attribute n_features_out"):
        _fit(data, network=nn.Linear(12, 7))
    with pytest.raises(ValueError, match="X has 3 features, the model was fitted on 12"):
        _fit(data, network=Network()).predict(DenseSamples(data.X[:, :3], torch.device("cpu")))


class Counted(SameViews):
    """How many samples were looked at to predict."""

    n_predicted = 0

    def plain(self, rows):
        self.n_predicted += len(rows)
        return rows


@pytest.mark.parametrize("start", ["consensus", "random"])
def test_after_the_training_the_network_passes_once_over_the_samples(data, start):
    """With a start from labels, classes are revived and probabilities calibrated: both are a matter of the head."""
    views = Counted()
    config = replace(CONFIG, start=start)
    model = Falcon(6, config, device="cpu", views=views).fit(data.X, data.coarse)
    assert views.n_predicted == len(data.X)
    model.infer(data.X, data.coarse)
    assert views.n_predicted == 2 * len(data.X)
    model.predict(data.X)
    model.transform(data.X)
    assert views.n_predicted == 4 * len(data.X)
