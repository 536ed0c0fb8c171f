"""With one process nothing is done; tests/test_distributed.py has two."""

from __future__ import annotations

import torch

from falcon_sc.core.runtime import distributed


def test_one_process_touches_nothing():
    values = torch.ones(3, requires_grad=True)
    assert distributed.mean(values) is values
    assert distributed.total(values) is values
    assert distributed.log_mean(values) is values
    assert distributed.own_share(values).shape == (3,)
    network = torch.nn.Linear(2, 2)
    assert distributed.with_joint_gradients(network, torch.device("cpu")) is network
    assert not torch.distributed.is_initialized()
