from __future__ import annotations

import numpy as np
import torch

from falcon_sc.core.config import FalconConfig
from falcon_sc.core.data.batches import SameViews, as_samples
from falcon_sc.core.state import revival
from falcon_sc.core.state.inference import embed, most_probable, probabilities
from falcon_sc.core.state.revival import revive_empty_classes
from falcon_sc.core.training.networks import FineClassifier, build_mlp_classifier

RELATION = np.eye(2, dtype=np.uint8)[[0, 0, 1, 1]]


def test_an_empty_class_gets_the_samples_nearest_to_it(rng):
    samples = as_samples(rng.normal(size=(60, 4)), torch.device("cpu"))
    codes = np.repeat([0, 1], 30)
    classifier = build_mlp_classifier(4, 4, FalconConfig(), torch.Generator().manual_seed(0)).eval()
    with torch.no_grad():
        classifier.head.bias[1] -= 100  # no sample is ever predicted to be in class 1
    hidden = embed(classifier, samples, SameViews(), "float32")
    before = probabilities(classifier.head, hidden, codes, RELATION)
    assert not (before.argmax(axis=1) == 1).any()
    assert 1 in revive_empty_classes(classifier, hidden, codes, RELATION, np.array([20, 7, 20, 10]))
    after = probabilities(classifier.head, hidden, codes, RELATION)
    labels = after.argmax(axis=1)
    assert (labels == 1).sum() == 7
    kept = labels != 1
    np.testing.assert_array_equal(labels[kept & (codes == 0)], before.argmax(axis=1)[kept & (codes == 0)])
    assert set(labels) == {0, 1, 2, 3}


def test_nothing_changes_when_all_classes_are_used(rng):
    samples = as_samples(np.vstack([rng.normal(size=(50, 4))]), torch.device("cpu"))
    classifier = build_mlp_classifier(4, 2, FalconConfig(), torch.Generator().manual_seed(0)).eval()
    codes = np.repeat([0, 1], 25)
    relation = np.eye(2, dtype=np.uint8)
    hidden = embed(classifier, samples, SameViews(), "float32")
    bias = classifier.head.bias.detach().clone()
    assert revive_empty_classes(classifier, hidden, codes, relation, np.array([25, 25])) == []
    assert torch.equal(bias, classifier.head.bias)


def test_several_data_sets_and_blocks_of_samples(rng, monkeypatch):
    """A fine class has a coarse class in each data set; samples of all of them are candidates."""
    monkeypatch.setattr(revival, "_BLOCK", 7)
    relation = np.array([[1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 0, 1]], dtype=np.uint8)
    codes = np.repeat([0, 1, 2, 3], 15)
    hidden = rng.normal(size=(60, 5)).astype(np.float32)
    classifier = FineClassifier(torch.nn.Identity(), 5, 3)
    with torch.no_grad():
        classifier.head.weight.copy_(torch.from_numpy(rng.normal(size=(3, 5))))
        classifier.head.bias.copy_(torch.tensor([0.0, -100.0, 0.0]))
    assert revive_empty_classes(classifier, hidden, codes, relation, np.array([20, 9, 20])) == [1]
    labels = most_probable(classifier.head, hidden, codes, relation)
    assert (labels == 1).sum() == 9
    assert set(codes[labels == 1]) == {0, 3}
