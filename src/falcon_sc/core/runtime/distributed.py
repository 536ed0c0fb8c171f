"""Several processes with one model: what they tell each other. With one process nothing here does anything.

Processes are started by `torchrun`, or by whoever has made a process group. Process 0 is the leader: it computes the start, solves
the relation and writes files. All of them take equal shares of every batch.
"""

from __future__ import annotations

import atexit
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

# The others wait this long for the leader, which may have hours of start to compute.
_TIMEOUT = timedelta(hours=12)


def size() -> int:
    """Number of processes."""
    return dist.get_world_size() if dist.is_initialized() else int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Number of this process; 0 is the leader."""
    return dist.get_rank() if dist.is_initialized() else int(os.environ.get("RANK", "0"))


def cuda_device() -> torch.device:
    """The GPU of this process: `torchrun` counts the processes of a machine."""
    local = os.environ.get("LOCAL_RANK")
    return torch.device("cuda") if local is None else torch.device("cuda", int(local))


def join(device: torch.device) -> None:
    """Make the group of the processes that `torchrun` started; nothing to do for one process, or where a group is.

    It stays to the end of the process: `torchrun` lets a group be made once.
    """
    if dist.is_initialized() or size() == 1:
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo", timeout=_TIMEOUT)
    atexit.register(dist.destroy_process_group)


def share[T](compute: Callable[[], T]) -> T:
    """What `compute` gives in the leading process, in all of them; an error there is an error in all."""
    if size() == 1:
        return compute()
    told: list[Any] = [None, None]
    if rank() == 0:
        try:
            told[0] = compute()
        except Exception as error:  # noqa: BLE001 - the others wait: they are told before it is raised
            told[1] = error
    dist.broadcast_object_list(told, src=0)
    if told[1] is not None:
        raise told[1]
    result: T = told[0]
    return result


def own_share(batch: Tensor) -> Tensor:
    """The rows of a batch that this process works on."""
    n_each = len(batch) // size()
    return batch[rank() * n_each : (rank() + 1) * n_each]


def check_batch(batch_size: int) -> None:
    """Means over equal shares are means over the batch.

    Raises
    ------
    ValueError
        If the shares would not be equal.
    """
    if batch_size % size():
        msg = f"batch_size={batch_size} cannot be shared equally by {size()} processes: give a multiple of {size()}."
        raise ValueError(msg)


def gather_rows(rows: Tensor) -> tuple[Tensor, int]:
    """The rows of all processes in the order of their ranks, and where the own ones begin; no gradient."""
    if size() == 1:
        return rows, 0
    gathered = [torch.empty_like(rows) for _ in range(size())]
    dist.all_gather(gathered, rows.contiguous())
    return torch.cat(gathered), rank() * len(rows)


def total(values: Tensor) -> Tensor:
    """Sum over the processes; no gradient."""
    if size() == 1:
        return values
    summed = values.detach().clone()
    dist.all_reduce(summed)
    return summed


class _Mean(torch.autograd.Function):
    """Mean over the processes of what each has computed from its share of the batch.

    Its gradient is handed on as it is: every process computes the same loss of the mean, and the gradients of the
    parameters are averaged afterwards.
    """

    @staticmethod
    def forward(_ctx: Any, values: Tensor) -> Tensor:
        return total(values) / size()

    @staticmethod
    def backward(_ctx: Any, *grad_outputs: Tensor) -> Tensor:
        return grad_outputs[0]


def mean(values: Tensor) -> Tensor:
    """Mean over the processes, with a gradient."""
    if size() == 1:
        return values
    averaged: Tensor = _Mean.apply(values)
    return averaged


def log_mean(log_values: Tensor) -> Tensor:
    """Logarithm of the mean of `exp(log_values)` over the processes, with a gradient."""
    if size() == 1:
        return log_values
    return mean(log_values.exp()).clamp_min(torch.finfo(log_values.dtype).tiny).log()


def with_joint_norms(network: nn.Module, device: torch.device) -> nn.Module:
    """The network, whose batch normalizations run over all processes; torch has that for CUDA only."""
    if size() == 1 or device.type != "cuda":
        return network
    converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    return converted


def with_joint_gradients(network: nn.Module, device: torch.device) -> nn.Module:
    """The network, whose gradients are averaged over the processes when they are computed."""
    if size() == 1:
        return network
    device_ids = [device] if device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(network, device_ids=device_ids)


def take_from_lead(tensors: list[Tensor]) -> None:
    """Overwrite tensors by those of the leading process, in one message for each type."""
    if size() == 1:
        return
    for dtype in dict.fromkeys(tensor.dtype for tensor in tensors):  # a set has another order in each process
        own = [tensor for tensor in tensors if tensor.dtype == dtype]
        flat = torch.cat([tensor.flatten() for tensor in own])
        dist.broadcast(flat, src=0)
        for tensor, part in zip(own, torch.split(flat, [tensor.numel() for tensor in own]), strict=True):
            tensor.copy_(part.view_as(tensor))
