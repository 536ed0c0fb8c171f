from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from falcon_sc import FalconConfig
from falcon_sc.core.state.calibration import calibrate, temperature, tempered
from falcon_sc.core.training.networks import build_mlp_classifier


def sure(seed: int = 0, n: int = 400, k: int = 5, scale: float = 8.0) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(size=(n, k)) * scale
    logits[: n // 2, k // 2 :] = -np.inf  # children of one coarse class, of the other
    return softmax(logits, axis=1).astype(np.float32)


@given(st.floats(0.1, 20), st.integers(0, 100))
def test_tempered_is_the_softmax_of_divided_logits(t: float, seed: int) -> None:
    logits = np.random.default_rng(seed).normal(size=(20, 4)) * 5
    logits[:5, 2] = -np.inf
    slow = softmax(logits / t, axis=1)
    found = tempered(softmax(logits, axis=1).astype(np.float32), t)
    np.testing.assert_allclose(found, slow, rtol=1e-3, atol=1e-6)
    np.testing.assert_array_equal(found[:5, 2], 0)


@pytest.mark.parametrize("wanted", [0.6, 0.8, 0.97])
def test_the_mean_certainty_becomes_the_one_wanted(wanted: float) -> None:
    proba = sure()
    found = tempered(proba, temperature(proba, wanted))
    assert found.max(axis=1).mean() == pytest.approx(wanted, abs=2e-3)
    np.testing.assert_array_equal(found.argmax(axis=1), proba.argmax(axis=1))


def test_many_samples_are_looked_at_here_and_there() -> None:
    proba = sure(n=50_000)
    assert tempered(proba, temperature(proba, 0.8)).max(axis=1).mean() == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("wanted", [0.05, 1.0])
def test_what_no_temperature_reaches_is_left(wanted: float) -> None:
    assert temperature(sure(), wanted) == 1.0


def test_one_class_has_no_temperature() -> None:
    assert temperature(np.ones((10, 1), dtype=np.float32), 0.9) == 1.0


def test_the_network_gives_the_calibrated_probabilities() -> None:
    generator = torch.Generator().manual_seed(0)
    classifier = build_mlp_classifier(6, 4, FalconConfig(), generator).eval()
    with torch.no_grad():
        classifier.head.weight.mul_(60)
        X = torch.randn(300, 6, generator=generator)
        before = classifier(X).softmax(dim=1).numpy()
        calibrate(classifier, before, np.full(300, 0.7, dtype=np.float32))
        after = classifier(X).softmax(dim=1).numpy()
    assert before.max(axis=1).mean() > 0.75
    assert after.max(axis=1).mean() == pytest.approx(0.7, abs=2e-3)
    np.testing.assert_array_equal(after.argmax(axis=1), before.argmax(axis=1))
