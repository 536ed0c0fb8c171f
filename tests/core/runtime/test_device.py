from __future__ import annotations

import pytest
import torch

from falcon_sc.core.runtime.device import autocast, resolve_device


@pytest.mark.parametrize(
    ("asked", "local_rank", "expected"),
    [("cuda", "1", "cuda:1"), ("cuda:0", "1", "cuda:0"), ("cuda", None, "cuda"), ("cpu", "1", "cpu")],
)
def test_a_process_of_torchrun_takes_its_own_gpu(monkeypatch, asked, local_rank, expected):
    monkeypatch.setattr(torch, "empty", lambda *shape, device: None)  # as if every device were there
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if local_rank is not None:
        monkeypatch.setenv("LOCAL_RANK", local_rank)
    assert resolve_device(asked) == torch.device(expected)


def test_a_device_without_values_is_refused():
    with pytest.raises(ValueError, match=r"device='meta' is not there .*holds no values.*Use device='cpu'"):
        resolve_device("meta")


@pytest.mark.filterwarnings("ignore:CUDA is not available")
@pytest.mark.parametrize(
    ("device", "precision", "half"),
    [("cuda", "bfloat16", True), ("cuda", "float32", False), ("cpu", "bfloat16", False)],
)
def test_half_precision_on_gpus_only(device, precision, half):
    context = autocast(torch.device(device), precision)
    assert isinstance(context, torch.autocast) == half
    assert not half or context.fast_dtype == torch.bfloat16
