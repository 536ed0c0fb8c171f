"""Images in the npz layout of the development data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import listed
from falcon_sc.core.runtime.files import as_path
from falcon_sc.vision.datasets._image_data import ImageData
from falcon_sc.vision.datasets._splits import Split, check_split, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_ROWS = ("images", "fine", "coarse", "split")
_NAMES = ("fine_names", "coarse_names")


def from_npz(paths: str | Path | Sequence[str | Path], *, split: Split = "all") -> ImageData:
    """Images from one npz file, or from several parts of one data set, joined in the order given.

    Parameters
    ----------
    paths
        One file or several. Each holds ``images`` (uint8, N x height x width x 3), ``fine`` and ``coarse``
        (N integers), ``split`` (N times "train" or "test"), ``fine_names`` and ``coarse_names`` (the same in all
        parts). Pickled objects in the files are refused.
    split
        As for :func:`cifar100`, by the column ``split``: ``"train"``, ``"train90"``, ``"val"``, ``"test"`` or ``"all"``.

    Returns
    -------
    The images of the split, with their labels and names.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ValueError
        If `paths` is empty, an array is missing, the parts have other names, or ``split`` holds something else.

    Examples
    --------
    >>> import numpy as np
    >>> from falcon_sc.vision.datasets import from_npz
    >>> images, split = np.zeros((3, 32, 32, 3), np.uint8), np.array(["train", "train", "test"])
    >>> labels = {"fine": [0, 1, 1], "coarse": [0, 0, 0], "fine_names": ["cat", "dog"], "coarse_names": ["pet"]}
    >>> np.savez("pets.npz", images=images, split=split, **labels)
    >>> from_npz("pets.npz", split="train")
    ImageData: 2 images of 32 x 32, 1 coarse classes, 2 fine classes
    """
    check_split(split)
    files = [as_path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    if not files:
        msg = "paths is empty: give at least one npz file."
        raise ValueError(msg)
    parts = [_arrays(path) for path in files]
    for path, part in zip(files, parts, strict=True):
        for key in _NAMES:
            if not np.array_equal(part[key], parts[0][key]):
                msg = (
                    f"paths: {key} of {str(path)!r} differs from that of {str(files[0])!r}: give parts of one data set."
                )
                raise ValueError(msg)
    images, fine, coarse, part_of = (np.concatenate([part[key] for part in parts]) for key in _ROWS)
    rows = rows_of(split, fine.astype(np.int64), part_of == "test")
    return ImageData(
        images[rows], fine[rows], coarse[rows], tuple(parts[0]["fine_names"]), tuple(parts[0]["coarse_names"])
    )


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as file:
        if missing := [key for key in (*_ROWS, *_NAMES) if key not in file]:
            msg = f"{str(path)!r} lacks the arrays {listed(missing)}; it has {listed(file)}."
            raise ValueError(msg)
        arrays = {key: file[key] for key in (*_ROWS, *_NAMES)}
    if not np.isin(arrays["split"], ["train", "test"]).all():
        splits = np.unique(arrays["split"])
        msg = f"split in {str(path)!r} holds {listed(splits)}: only 'train' and 'test' are known."
        raise ValueError(msg)
    return arrays
