"""Several processes, started by ``torchrun``, as one run."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def process_group() -> Iterator[bool]:
    """Join the processes that `torchrun` started, each with a GPU of its own where there are GPUs.

    Yields whether this is the first process, the one that writes. Without `torchrun` there is one, and it is.
    """
    if not dist.is_torchelastic_launched():
        yield True
        return
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield dist.get_rank() == 0
    finally:
        dist.destroy_process_group()
