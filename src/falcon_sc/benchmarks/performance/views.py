"""Random views of images: those of `vision` against torchvision and kornia."""

from __future__ import annotations

import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.benchmarks import _tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd
    from torch import Tensor

# The strong view of small images; of large ones torchvision and kornia blur all images, which costs them no less.
_CROP, _JITTER, _GRAY = (0.08, 1.0), (0.4, 0.4, 0.2, 0.1), 0.2


def run(
    *, out: Path | None = None, device: str | None = None, size: int = 32, n_images: int = 256, n_times: int = 10
) -> pd.DataFrame:
    """Time the strong view of a batch: crop, flip, colors with probability 0.8, and grayscale.

    "torchvision, images" draws for each image in turn. "torchvision, batch" draws once for the whole batch, so that all
    its images get one crop and one change of colors, which is another method. kornia is timed if it is installed.

    Parameters
    ----------
    out
        Folder for `views.csv` and `views.md`.
    device
        None: a GPU if there is one.
    size
        Side of the images and of the views, up to 64.
    n_images
        Images in a batch.
    n_times
        Batches timed, after one that is not.
    """
    import pandas as pd
    import torch

    from falcon_sc.core.runtime.device import resolve_device

    where = resolve_device(device)
    rows = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (n_images, 3, size, size), dtype=np.uint8))
    rows = rows.to(where)
    makers = {"falcon_sc": _ours, "torchvision, images": _torchvision_each, "torchvision, batch": _torchvision_batch}
    if find_spec("kornia") is not None:
        makers["kornia"] = _kornia
    lines: list[dict[str, Any]] = []
    for name, make in makers.items():
        view = make(size, where)
        seconds = _time(view, rows, n_times)
        different = len(torch.unique(view(rows[:1].expand(64, -1, -1, -1)).flatten(1), dim=0))
        lines.append(
            {
                "views": name,
                "device": str(where),
                "threads": torch.get_num_threads(),
                "median_ms": 1e3 * float(np.median(seconds)),
                "images_per_s": n_images / float(np.median(seconds)),
                "different views of 64 copies": different,
            }
        )
    table = pd.DataFrame(lines)
    print(_tables.to_markdown(table))
    if out is not None:
        _tables.save(table, out, "views")
    return table


def _time(view: Callable[[Tensor], Tensor], rows: Tensor, n_times: int) -> list[float]:
    import torch

    seconds = []
    for _ in range(1 + n_times):
        began = time.perf_counter()
        view(rows)
        if rows.is_cuda:
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return seconds[1:]


def _ours(size: int, device: Any) -> Callable[[Tensor], Tensor]:
    import torch

    from falcon_sc.vision import ImageViews

    views, generator = ImageViews(size), torch.Generator(device).manual_seed(0)
    return lambda rows: views.strong(rows, generator)


def _torchvision_batch(size: int, _device: Any) -> Callable[[Tensor], Tensor]:
    import torch
    from torchvision.transforms import v2

    return v2.Compose(  # type: ignore[no-any-return]
        [
            v2.RandomResizedCrop(size, scale=_CROP, antialias=False),
            v2.RandomHorizontalFlip(),
            v2.RandomApply([v2.ColorJitter(*_JITTER)], p=0.8),
            v2.RandomGrayscale(_GRAY),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(*_statistics(size)),
        ]
    )


def _torchvision_each(size: int, device: Any) -> Callable[[Tensor], Tensor]:
    import torch

    view = _torchvision_batch(size, device)
    return lambda rows: torch.stack([view(image) for image in rows])


def _kornia(size: int, device: Any) -> Callable[[Tensor], Tensor]:
    import torch
    from kornia import augmentation

    view = torch.nn.Sequential(
        augmentation.RandomResizedCrop((size, size), scale=_CROP, align_corners=False),
        augmentation.RandomHorizontalFlip(p=0.5),
        augmentation.ColorJitter(*_JITTER, p=0.8),
        augmentation.RandomGrayscale(p=_GRAY),
        augmentation.Normalize(*(torch.tensor(values) for values in _statistics(size))),
    ).to(device)
    return lambda rows: view(rows.float() / 255)


def _statistics(size: int) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    from falcon_sc.vision import ImageViews

    return ImageViews(size).mean, ImageViews(size).std
