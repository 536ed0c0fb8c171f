"""Where the mixtures of the start are fitted: on the CPU, or on the GPU of the run where that has but one core."""

from __future__ import annotations

import torch

from falcon_sc.core.start.mixtures.arrays import CPU, Processor
from falcon_sc.core.start.parallel import n_threads

# Of a responsibility in a batch, with the other arrays of a step and its share of the data: 45 of eight components and
# 98 of three were measured with tensors on a CPU, and paths of merged mixtures begin with up to three times as many.
BYTES_EACH = 300
SHARE = (
    1 / 32
)  # of the memory of the device, for a batch: no more fills it, and the network and its data need some as well
# A step of so many takes the GPU longer than Python takes to ask for it, and one coarse class seldom has more.
MOST_AT_ONCE = 2**22


def processor_of(device: torch.device) -> Processor:
    """numpy; the GPU where this process has one core.

    A step of these fits is too small for a GPU: one takes as long as a core or two. So several cores are the faster
    (docs/gpu_and_scale.md has what was measured). Not by `n_jobs`: the same seed gives the same labels whatever that is.

    Other devices than those of CUDA (and ROCm) lack float64, in which parameters are computed.
    """
    if device.type != "cuda" or n_threads(None) > 1:
        return CPU
    return tensors_on(device, at_once(torch.cuda.get_device_properties(device).total_memory))


def at_once(memory: int) -> int:
    """Responsibilities of a batch on a device with so many bytes.

    Not by what is free: which random numbers a run gets hangs on the batch it is in, and the same seed gives the same
    labels whatever goes on beside it.
    """
    return max(CPU.at_once, min(MOST_AT_ONCE, int(SHARE * memory / BYTES_EACH)))


def tensors_on(device: torch.device, at_once: int) -> Processor:
    """Fits with tensors there, so many responsibilities at once."""
    return Processor(lambda array: torch.as_tensor(array, device=device), at_once)
