from __future__ import annotations

import numpy as np
import torch

from falcon_sc.core.config import FalconConfig
from falcon_sc.core.data.batches import SameViews
from falcon_sc.core.fitting.fit import learn
from falcon_sc.core.fitting.prepare import prepare
from falcon_sc.core.fitting.problem import Problem
from falcon_sc.core.fitting.run import Run
from falcon_sc.core.model import Falcon
from falcon_sc.core.start.start import Start
from falcon_sc.core.state.fitted import Fitted
from falcon_sc.metrics import macro_accuracy
from tests.core.planted import planted


def test_after_the_training_the_network_passes_once_over_the_samples(monkeypatch):
    """Labels, confidence, embedding, revived classes and temperature come of one pass."""
    passes: list[int] = []
    embed = Fitted.embed

    def counted(self, samples):  # the real pass, which is counted
        passes.append(len(samples))
        return embed(self, samples)

    monkeypatch.setattr(Fitted, "embed", counted)
    data = planted()
    Falcon(12, FalconConfig(max_epochs=2, start_n_repeats=1), device="cpu").fit(data.X, data.coarse)
    assert passes == [len(data.X)]


def test_rare_classes_among_eighty_are_learnt() -> None:
    """With 400 iterations in place of the default, a tenth of them is lost (0.90)."""
    rng = np.random.default_rng(0)
    parent, sizes = np.repeat(np.arange(20), 4), np.tile([200, 60, 12, 8], 20)
    fine = rng.permutation(np.repeat(np.arange(80), sizes))
    centers = 3 * rng.normal(size=(20, 20))[parent] + 0.6 * rng.normal(size=(80, 20))
    X = (centers[fine] + rng.normal(size=(len(fine), 20))).astype(np.float32)
    problem, config = Problem.of(X, parent[fine], 80), FalconConfig()
    run = Run(config, torch.device("cpu"), 0, None, SameViews(), None, progress_bar=False)
    start = Start(np.eye(20, dtype=np.uint8)[parent], fine, np.ones(len(fine), dtype=np.float32))
    near_rng, train_rng = rng.spawn(2)
    prepared = prepare(problem, config, run.device, np.random.default_rng(0))
    found = learn(problem, prepared, start, run, near_rng=near_rng, train_rng=train_rng).labels
    assert macro_accuracy(fine, found) > 0.98
