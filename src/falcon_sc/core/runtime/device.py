"""Which device a run takes, and in what precision it computes there."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import torch

from falcon_sc.core.runtime import distributed, forks

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from falcon_sc.core.config import Precision


def resolve_device(device: str | torch.device | None) -> torch.device:
    """`None` is CUDA if it is there, else the CPU; `"cuda"` is the GPU of this process.

    Raises
    ------
    ValueError
        If the device is not there.
    """
    forks.do_without_lost_threads()
    if device is None:
        return distributed.cuda_device() if torch.cuda.is_available() else torch.device("cpu")
    try:
        resolved = torch.device(device)
        torch.empty(0, device=resolved)
        if resolved.type == "meta":
            msg = "it holds no values"
            raise RuntimeError(msg)
    except (RuntimeError, AssertionError) as error:
        msg = f"device={str(device)!r} is not there ({str(error).splitlines()[0]}). Use device='cpu', or leave it out."
        raise ValueError(msg) from error
    # under torchrun every process has a GPU of its own, and NCCL takes no two on one
    return distributed.cuda_device() if resolved.type == "cuda" and resolved.index is None else resolved


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Half precision where it is asked for and the device is a GPU."""
    if precision == "float32" or device.type != "cuda":
        return contextlib.nullcontext()
    return torch.autocast("cuda", torch.bfloat16)
