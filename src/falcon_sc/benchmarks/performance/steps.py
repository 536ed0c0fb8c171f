"""A training step of an image backbone: precision, memory layout, and what `torch.compile` would bring."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.benchmarks import _tables

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import torch

# Of the paper: ResNet-18 on 32 x 32 in batches of 256, ResNet-50 on 224 x 224 (here a GPU's share of a batch).
_ON_GPU = (("resnet18", 32, 256), ("resnet50", 224, 128))
_ON_CPU = (("resnet18", 32, 16),)


def run(*, out: Path | None = None, device: str | None = None, n_times: int = 10) -> pd.DataFrame:
    """Time forward, backward and SGD of a ResNet and its head, eager and compiled.

    Parameters
    ----------
    out
        Folder for `steps.csv` and `steps.md`.
    device
        None: a GPU if there is one. There half precision and channels_last are timed too, as runs use them.
    n_times
        Steps timed, after three that are not.

    Returns
    -------
    A row for each way: ``ready_s``, seconds to the end of the first step, in which a compiled network is compiled;
    ``median_ms``; ``images_per_s``.
    """
    import pandas as pd

    from falcon_sc.core.runtime.device import resolve_device

    where = resolve_device(device)
    on_gpu = where.type == "cuda"
    ways = [("float32", False)] + ([("bfloat16", False), ("bfloat16", True)] if on_gpu else [])
    rows: list[dict[str, Any]] = []
    for name, size, batch in _ON_GPU if on_gpu else _ON_CPU:
        for precision, channels_last in ways:
            for compiled in (False, True):
                seconds = _time(
                    name,
                    size,
                    batch,
                    device=where,
                    precision=precision,
                    n_times=n_times,
                    channels_last=channels_last,
                    compiled=compiled,
                )
                median = float(np.median(seconds[3:]))
                rows.append(
                    {
                        "backbone": name,
                        "size": size,
                        "batch": batch,
                        "device": str(where),
                        "precision": precision,
                        "channels_last": channels_last,
                        "compiled": compiled,
                        "ready_s": seconds[0],
                        "median_ms": 1e3 * median,
                        "images_per_s": batch / median,
                    }
                )
    table = pd.DataFrame(rows)
    print(_tables.to_markdown(table))
    if out is not None:
        _tables.save(table, out, "steps")
    return table


def _time(
    name: str,
    size: int,
    batch: int,
    *,
    device: torch.device,
    precision: Any,
    n_times: int,
    channels_last: bool,
    compiled: bool,
) -> list[float]:
    """Seconds of each step."""
    import torch
    import torch.nn.functional as F

    from falcon_sc.core.runtime.device import autocast
    from falcon_sc.core.training.networks import build_classifier
    from falcon_sc.vision import build_backbone

    weights = torch.Generator().manual_seed(0)
    backbone = build_backbone(name, small_images=size <= 64, generator=weights)
    network: Any = build_classifier(backbone, 100, weights).to(device).train()
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, foreach=True)
    forward = torch.compile(network) if compiled else network
    images = torch.rand(batch, 3, size, size, device=device)
    labels = torch.arange(batch, device=device) % 100
    seconds = []
    for _ in range(3 + n_times):
        began = time.perf_counter()
        with autocast(device, precision):
            logits = forward(images)
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(logits.float(), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return seconds
