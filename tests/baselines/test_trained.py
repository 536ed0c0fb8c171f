"""What all systems that learn have in common, on the digits of scikit-learn."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from falcon_sc import FalconConfig
from falcon_sc.baselines import ANCOR, GEORGE, SCAN, SCANC, SCGM, SNCA, TURTLE, SCANFinetune, SCANPerCoarse, UpperBound
from falcon_sc.baselines._task import Settings, Task
from falcon_sc.baselines._trained import majority_relation
from falcon_sc.core.data.batches import DenseSamples
from falcon_sc.core.fitting.problem import Problem
from falcon_sc.core.start.input import StartInput
from falcon_sc.metrics import clustering_accuracy

from .blobs import PARENTS, blobs
from .digits import digits

SHORT = FalconConfig(max_epochs=5, n_hidden=64, n_layers=4, n_pcs=50)  # the paper's network, on components
# accuracy above chance after 5 epochs of 14 steps (TURTLE: 100 steps)
MARGINS = {
    SCAN: 0.3,
    SCANC: 0.3,
    SCANPerCoarse: 0.3,
    SCANFinetune: 0.3,
    ANCOR: 0.2,
    SNCA: 0.2,
    GEORGE: 0.2,
    SCGM: 0.08,
    UpperBound: 0.6,
    TURTLE: 0.1,  # above labels drawn from all: it reads no coarse labels
}
TRAINED = [method for method in MARGINS if method is not TURTLE]


def fitted(method, X, coarse, fine, config=SHORT, **keywords):
    n_fine = len(np.unique(fine))
    if method is TURTLE:
        return TURTLE(n_fine, n_steps=config.max_epochs * 20, **keywords).fit(X, coarse)
    if method is UpperBound:
        return UpperBound(n_fine, config, **keywords).fit(X, coarse, fine=fine)
    if method is GEORGE:
        n_fine = {name: len(np.unique(fine[coarse == name])) for name in np.unique(coarse)}  # a search takes long
        keywords["reduction"] = "none"  # and UMAP compiles for long
    return method(n_fine, config, **keywords).fit(X, coarse)


def chance(coarse, fine):
    """Accuracy of labels that are drawn inside the right coarse class, of as many as it has."""
    rng = np.random.default_rng(0)
    drawn = np.empty_like(fine)
    for name in np.unique(coarse):
        inside = coarse == name
        drawn[inside] = rng.choice(np.unique(fine[inside]), inside.sum())
    return clustering_accuracy(fine, drawn)


@pytest.mark.parametrize("method", MARGINS)
def test_digits_are_found_better_than_by_chance(method):
    X, coarse, fine = digits()
    model = fitted(method, X, coarse, fine)
    known = coarse if method is not TURTLE else np.zeros_like(coarse)
    assert clustering_accuracy(fine, model.labels_) > chance(known, fine) + MARGINS[method]
    assert model.labels_.dtype == np.int64
    assert model.labels_.min() >= 0
    assert model.labels_.max() < 10
    assert model.coarse_names_.tolist() == ["open", "round", "straight"]
    assert np.isfinite(model.history_["loss"]).all()


@pytest.mark.parametrize("method", MARGINS)
def test_prediction_gives_the_labels_again_and_the_seed_decides(method):
    X, coarse, fine = blobs()
    config = FalconConfig(max_epochs=3)
    one, same, other = (fitted(method, X, coarse, fine, config, rng=seed) for seed in (0, 0, 1))
    assert np.array_equal(one.labels_, same.labels_)
    if method is not UpperBound:  # which may reach the truth from every seed
        assert not np.array_equal(one.labels_, other.labels_)
    assert np.array_equal(one.predict(X, coarse), one.labels_)


@pytest.mark.parametrize("method", MARGINS)
def test_draws_nothing_from_global_generators(method):
    X, coarse, fine = blobs()
    before, state = np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    fitted(method, X, coarse, fine, FalconConfig(max_epochs=1))
    np.testing.assert_equal(np.random.get_state(), before)  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("method", TRAINED)
def test_relation_has_one_parent_for_each_fine_class(method):
    X, coarse, fine = blobs()
    relation = fitted(method, X, coarse, fine, FalconConfig(max_epochs=1)).relation_
    assert relation.shape == (len(PARENTS), 4)
    assert relation.sum(axis=1).tolist() == [1] * len(PARENTS)


def test_majority_gives_the_parents():
    X, coarse, _ = blobs()
    task = make_task(X, coarse, 4)
    labels = np.where(task.codes == 0, 1, 3)  # of 0 and 2 there are no samples; most of the others are of "c"
    assert majority_relation(labels, task).argmax(axis=1).tolist() == [0, 0, 0, 2]


def make_task(X, coarse, n_fine, config=SHORT, **keywords):
    settings = Settings.of(config, None, None, "cpu")
    return Task.of(Problem.of(X, coarse, n_fine, **keywords), settings, 0)


@pytest.mark.parametrize("method", TRAINED)
def test_any_network_and_samples_that_are_read_in_batches(method):
    """As for images: features give the neighbors, and the network that is given is copied and trained."""
    X, coarse, fine = blobs()
    samples = DenseSamples(X, torch.device("cpu"))
    network = torch.nn.Sequential(torch.nn.Linear(2, 9), torch.nn.ReLU())
    network.n_features_out = 9
    before = copy.deepcopy(network.state_dict())
    keywords = {"fine": fine} if method is UpperBound else {}
    options = {"reduction": "none"} if method is GEORGE else {}
    model = method(len(PARENTS), FalconConfig(max_epochs=1), network=network, device="cpu", **options)
    model.fit(samples, coarse, start_input=StartInput(X, "embedding"), **keywords)
    assert np.array_equal(model.predict(samples, coarse), model.labels_)
    for name, weights in network.state_dict().items():
        assert torch.equal(weights, before[name])


@pytest.mark.parametrize("method", TRAINED)
def test_bad_input_is_refused_before_any_work(method):
    X, coarse, fine = blobs()
    keywords = {"fine": fine} if method is UpperBound else {}
    with pytest.raises(ValueError, match="X has values that are NaN or infinite"):
        method(len(PARENTS)).fit(np.full_like(X, np.nan), coarse, **keywords)
    with pytest.raises(ValueError, match=f"coarse has 3 labels, X has {len(X)} samples"):
        method(len(PARENTS)).fit(X, ["a", "b", "b"], **keywords)
    with pytest.raises(ValueError, match=f"this {method.__name__} is not fitted: call fit"):
        method(len(PARENTS)).predict(X)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), "5", None], ids=str)
@pytest.mark.parametrize(
    ("method", "name"),
    [(SCAN, "entropy_weight"), (SCANPerCoarse, "entropy_weight"), (GEORGE, "size_adjustment")],
)
def test_weights_are_numbers(method, name, weight):
    X, coarse, _ = blobs()
    with pytest.raises(ValueError, match=f"{name}=.* must be a number of at least 0"):
        method(len(PARENTS), FalconConfig(max_epochs=1), **{name: weight}).fit(X, coarse)


def test_prediction_refuses_what_it_does_not_know():
    X, coarse, fine = blobs()
    model = fitted(SCAN, X, coarse, fine, FalconConfig(max_epochs=1))
    with pytest.raises(ValueError, match="X has 1 features, the model was fitted on 2"):
        model.predict(X[:, :1])
    with pytest.raises(ValueError, match="coarse has 3 labels, X has 4 samples"):
        model.predict(np.zeros((4, 2)), ["a", "b", None])
    with pytest.raises(ValueError, match=r"coarse has labels that the model does not know: \['z'\]"):
        model.predict(X[:1], ["z"])


def test_new_samples_are_projected_like_the_old_ones():
    X, coarse, fine = digits()
    model = fitted(SCANC, X, coarse, fine, FalconConfig(max_epochs=1, n_pcs=5))
    assert np.array_equal(model.predict(X[:7]), model.labels_[:7])


def test_divergence_stops_with_an_explanation():
    X, coarse, fine = blobs()
    config = FalconConfig(optimizer="sgd", lr=1e12, batch_norm=False, max_grad_norm=None, max_epochs=20)
    with pytest.raises(FloatingPointError, match=r"diverged in epoch \d+: the loss is .* Lower lr"):
        fitted(UpperBound, X, coarse, fine, config)
