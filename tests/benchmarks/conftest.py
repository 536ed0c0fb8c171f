from __future__ import annotations

import pytest

from falcon_sc import FalconConfig


@pytest.fixture
def two_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmarks run the defaults, by which even the smallest data get a thousand steps: here two epochs."""
    monkeypatch.setattr(FalconConfig, "n_epochs", lambda self, n: 2)
