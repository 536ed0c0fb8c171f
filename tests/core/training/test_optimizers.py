from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

from falcon_sc.core.config import FalconConfig
from falcon_sc.core.training.optimizers import Optimizer

SHAPES = [(3, 4), (4,), (2, 3)]
UNUSED = 1  # has no gradient in the first steps


def _parameters() -> list[torch.nn.Parameter]:
    return [torch.nn.Parameter(torch.randn(shape, generator=torch.Generator().manual_seed(0))) for shape in SHAPES]


def _descend(optimizer: Any, parameters: list[torch.nn.Parameter], steps: range) -> None:
    for step in steps:
        optimizer.zero_grad()
        generator = torch.Generator().manual_seed(step)
        for i, parameter in enumerate(parameters):
            gradient = torch.randn(parameter.shape, generator=generator)
            parameter.grad = None if i == UNUSED and step < 2 else gradient
        optimizer.step()


def _torchs(parameters: list[torch.nn.Parameter], config: FalconConfig) -> torch.optim.Optimizer:
    options: dict[str, Any] = {"lr": config.lr, "weight_decay": config.weight_decay}
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, momentum=config.momentum, foreach=True, **options)
    return torch.optim.AdamW(parameters, fused=True, **options)


@pytest.mark.parametrize(
    "options",
    [{"optimizer": "adamw"}, {"optimizer": "sgd", "momentum": 0.9}, {"optimizer": "sgd", "momentum": 0.0}],
    ids=["AdamW", "SGD", "SGD without momentum"],
)
def test_steps_are_those_of_torchs_classes_also_after_a_checkpoint(options: dict[str, Any], tmp_path) -> None:
    config = FalconConfig(lr=0.01, weight_decay=0.1, **options)
    own, theirs = _parameters(), _parameters()
    ours, torchs = Optimizer(own, config), _torchs(theirs, config)
    _descend(ours, own, range(3))
    _descend(torchs, theirs, range(3))
    ours.lr = torchs.param_groups[0]["lr"] = 0.002
    torch.save(ours.state_dict(), tmp_path / "state.pt")
    again = Optimizer(own, config)
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert again.lr == 0.002
    _descend(again, own, range(3, 6))
    _descend(torchs, theirs, range(3, 6))
    for mine, other, before in zip(own, theirs, _parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=0)
        assert (mine != before).all()


def test_a_fit_loads_no_compiler() -> None:
    """torch._dynamo, with which come sympy and torch._inductor, takes four CPU seconds, and is not used."""
    code = """
import sys
import numpy as np
from falcon_sc import Falcon, FalconConfig
X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
for optimizer in ("adamw", "sgd"):
    config = FalconConfig(start="random", max_epochs=1, optimizer=optimizer)
    Falcon(4, config, device="cpu", progress_bar=False).fit(X, np.repeat(["a", "b"], 30))
print(sorted({"torch._dynamo", "torch._inductor", "sympy"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
