"""Where images live: one tensor on the device, or files that worker processes decode."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from falcon_sc.core.data.batches import InMemory
from falcon_sc.core.runtime.device import resolve_device
from falcon_sc.core.runtime.files import as_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torch import Tensor

_VALUES_IN_BLOCK = 2**21  # of images predicted at once: 682 of 32 x 32, 13 of 224 x 224 (a ResNet-50 needs 1.5 GB)

_FILE_SIZE = 256
_MAX_WORKERS = 8


class ImageTensorSamples(InMemory):
    """Images in one uint8 tensor that stays on the device: (N, C, H, W), C 1 or 3.

    Parameters
    ----------
    images
        uint8, N x H x W x 3, or N x H x W for images without color.
    device
        Where they live.
    """

    def __init__(self, images: np.ndarray | Tensor, device: torch.device) -> None:
        if isinstance(images, np.ndarray):  # torch warns of what is read-only, such as np.load(..., mmap_mode="r")
            images = np.require(images, requirements="W")
        tensor = torch.as_tensor(images)
        tensor = tensor[..., None] if tensor.ndim == 3 else tensor
        if tensor.ndim != 4 or tensor.dtype != torch.uint8 or tensor.shape[3] not in (1, 3) or not tensor.numel():
            msg = f"images must be uint8, N x H x W x 3 or N x H x W, found {tensor.dtype}, {tuple(tensor.shape)}."
            raise ValueError(msg)
        self._images = tensor.permute(0, 3, 1, 2).contiguous().to(device)
        self.shape = (3, *self._images.shape[2:])
        self.n_features = 3 * self.shape[1] * self.shape[2]
        self.block = max(1, _VALUES_IN_BLOCK // self.n_features)
        self.device = device

    def __len__(self) -> int:
        return len(self._images)

    def rows(self, index: Tensor) -> Tensor:
        """uint8, (B, 3, H, W)."""
        return self._images[index].expand(-1, 3, -1, -1)


class ImageFileSamples:
    """Images that worker processes decode while the device computes; squares of `size` pixels reach the device.

    The shorter side is resized to `size` and the middle is kept, so random crops are crops of that square.

    Parameters
    ----------
    files
        Paths of images, (N,), or a torch data set of images: PIL, uint8 H x W x 3 arrays, or tuples that begin with one.
    size
        Side in pixels.
    device
        Where batches are sent.
    n_workers
        Processes that decode; 0: this one.
    """

    def __init__(self, files: Sequence[str] | Dataset[Any], size: int, device: torch.device, n_workers: int) -> None:
        self._images = _Squares(files, size)
        self._queue = _Queue()
        self._loader = DataLoader(
            self._images,
            batch_sampler=self._queue,
            num_workers=n_workers,
            persistent_workers=n_workers > 0,
            pin_memory=device.type == "cuda",
            # what workers draw at random is nothing; without it torch would draw their seed from its global generator
            generator=torch.Generator(),
        )
        self.shape = (3, size, size)
        self.n_features = 3 * size * size
        self.block = max(1, _VALUES_IN_BLOCK // self.n_features)
        self.device = device

    def __len__(self) -> int:
        return len(self._images)

    def rows(self, index: Tensor) -> Tensor:
        """uint8, (B, 3, size, size), decoded here and now."""
        return torch.stack([self._images[i] for i in index.tolist()]).to(self.device)

    def stream(self, indices: Iterable[Tensor]) -> Iterator[Tensor]:
        """Batches in turn, decoded ahead of it."""
        self._queue.indices = indices
        for batch in self._loader:
            yield batch.to(self.device, non_blocking=True)


class _Queue:
    """What the loader is to read next."""

    indices: Iterable[Tensor] = ()

    def __iter__(self) -> Iterator[list[int]]:
        return (index.tolist() for index in self.indices)


class _Squares(Dataset[Any]):
    """Images as uint8 tensors (3, size, size)."""

    def __init__(self, files: Sequence[str] | Dataset[Any], size: int) -> None:
        self._files = files
        self._size = size

    def __len__(self) -> int:
        return len(self._files)  # type: ignore[arg-type]

    def __getitem__(self, i: int) -> Tensor:
        from PIL import Image

        item: Any = self._files[i]
        item = item[0] if isinstance(item, tuple) else item
        image = Image.open(item) if isinstance(item, str) else item
        if not isinstance(image, Image.Image):
            image = Image.fromarray(np.asarray(image))
        side = self._size
        image.draft("RGB", (2 * side, 2 * side))  # of a file: a JPEG much larger than that is decoded smaller
        scale = side / min(image.size)
        width, height = (max(side, round(length * scale)) for length in image.size)
        image = image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
        left, top = (width - side) // 2, (height - side) // 2
        square = image.crop((left, top, left + side, top + side))
        return torch.from_numpy(np.array(square)).permute(2, 0, 1).contiguous()


def _default_workers() -> int:
    """More processes than cores only take turns, and torch warns of them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _MAX_WORKERS)


def _existing(images: Iterable[Any]) -> list[str]:
    """Paths as text; one that is missing is known before it is read, which may be hours later in another process."""
    paths = [str(as_path(path)) for path in images]
    missing = next((path for path in paths if not Path(path).is_file()), None)
    if missing is not None:
        msg = f"images: there is no file {missing!r}."
        raise FileNotFoundError(msg)
    return paths


def image_samples(
    images: Any, *, size: int | None = None, device: str | torch.device | None = None, n_workers: int | None = None
) -> ImageTensorSamples | ImageFileSamples:
    """Images as the model reads them, for :meth:`falcon_sc.Falcon.predict` of a model of images.

    Parameters
    ----------
    images
        uint8 array N x H x W x 3 (N x H x W without color), which is put on the device; or paths of files (N,), or a
        torch data set of images, which worker processes decode.
    size
        Side in pixels to which files are brought, the shorter side resized and the middle kept; 256 if not given, as
        for views of 224 (MoCo-v3). Arrays are taken as they are.
    device
        `None`: CUDA if there, else the CPU; for prediction that of the model.
    n_workers
        Processes that decode files. Default: one for each core that may be used, at most 8.

    Returns
    -------
    The images as :meth:`falcon_sc.Falcon.fit` takes them, with `shape`, (3, H, W).

    Raises
    ------
    TypeError
        If `images` is none of these.
    FileNotFoundError
        If one of the files is not there.
    ValueError
        If an array has another shape or type of numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from falcon_sc.vision import image_samples
    >>> len(image_samples(np.zeros((5, 32, 32, 3), dtype=np.uint8), device="cpu"))
    5
    """
    where = resolve_device(device)
    n_workers = _default_workers() if n_workers is None else n_workers
    if isinstance(images, list | tuple | np.ndarray) and np.asarray(images).dtype.kind in "UO":
        return ImageFileSamples(_existing(images), size or _FILE_SIZE, where, n_workers)
    if isinstance(images, np.ndarray | torch.Tensor):
        return ImageTensorSamples(images, where)
    if isinstance(images, Dataset):
        return ImageFileSamples(images, size or _FILE_SIZE, where, n_workers)
    msg = f"images must be a uint8 array, paths of files or a torch Dataset, found {type(images).__name__}."
    raise TypeError(msg)
