from __future__ import annotations

import numpy as np
import torch

from falcon_sc.core.config import FalconConfig
from falcon_sc.core.data.batches import SameViews, as_samples
from falcon_sc.core.state import inference
from falcon_sc.core.training.networks import build_mlp_classifier

RELATION = np.eye(2, dtype=np.uint8)[[0, 0, 1]]


def test_a_block_at_a_time_is_the_same(rng, device, monkeypatch):
    samples = as_samples(rng.normal(size=(25, 4)), device)
    codes = rng.integers(-1, 2, 25)
    classifier = build_mlp_classifier(4, 3, FalconConfig(), torch.Generator().manual_seed(0)).to(device)
    hidden = inference.embed(classifier, samples, SameViews(), "float32")
    proba = inference.probabilities(classifier.head, hidden, codes, RELATION)
    samples.block = 7
    monkeypatch.setattr(inference, "ROWS", 6)
    blocks = inference.embed(classifier, samples, SameViews(), "float32")
    np.testing.assert_allclose(blocks, hidden, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        inference.probabilities(classifier.head, blocks, codes, RELATION), proba, rtol=1e-5, atol=1e-6
    )
    assert hidden.shape == (25, 128)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
    assert (proba[codes == 0, 2] == 0).all()
    assert (proba[codes == 1][:, :2] == 0).all()
    assert (proba[codes == -1] > 0).all()


def test_sparse_probabilities_and_labels_are_the_same(rng, device, monkeypatch):
    monkeypatch.setattr(inference, "ROWS", 7)
    codes = rng.integers(-1, 2, 25)
    head = torch.nn.Linear(5, 3).to(device)
    hidden = rng.normal(size=(25, 5)).astype(np.float32)
    proba = inference.probabilities(head, hidden, codes, RELATION)
    found = inference.sparse_probabilities(head, hidden, codes, RELATION)
    np.testing.assert_array_equal(found.toarray(), proba)
    assert found.dtype == np.float32
    assert found.nnz == 3 * (codes == -1).sum() + 2 * (codes == 0).sum() + (codes == 1).sum()
    np.testing.assert_array_equal(inference.most_probable(head, hidden, codes, RELATION), proba.argmax(axis=1))
