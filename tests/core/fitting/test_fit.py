from __future__ import annotations

from falcon_sc.core.config import FalconConfig
from falcon_sc.core.model import Falcon
from falcon_sc.core.state.fitted import Fitted
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
