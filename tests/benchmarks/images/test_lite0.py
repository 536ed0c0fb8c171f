from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

from falcon_sc.benchmarks.images._lite0 import Frozen, Lite0


def test_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)  # as where it is not installed
    with pytest.raises(ImportError, match="pip install --no-deps efficientnet-lite-pytorch"):
        Lite0()


def test_a_frozen_backbone_does_not_follow_a_batch():
    backbone = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    backbone.n_features_out = 4
    frozen = Frozen(backbone).train()
    before = backbone[1].running_mean.clone()
    features = frozen(torch.randn(8, 3))
    assert not features.requires_grad
    assert torch.equal(backbone[1].running_mean, before)
    assert frozen.n_features_out == 4
