"""Which device a run takes."""

from __future__ import annotations

import torch


def resolve_device(device: str | torch.device | None) -> torch.device:
    """`None` is CUDA if it is there, else the CPU.

    Raises
    ------
    ValueError
        If the device is not there.
    """
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.empty(0, device=resolved)
    except (RuntimeError, AssertionError) as error:
        msg = f"device={str(device)!r} is not there ({str(error).splitlines()[0]}). Use device=None or 'cpu'."
        raise ValueError(msg) from error
    return resolved
