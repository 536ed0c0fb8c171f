"""Frozen features with labels at two levels: read from files, or taken from images by an encoder and kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import listed
from falcon_sc.core.data.inputs import as_input
from falcon_sc.core.runtime.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

IMAGES = "cifar100_part*.npz"
_NEEDED = ("features", "coarse", "fine")


@dataclass(frozen=True, eq=False)
class FeatureData:
    """Features (N, d) of N samples, and their coarse and fine classes as codes (N,); the fine ones are for scoring only.

    `relation` is the true M, uint8 (K_F, K_C), of the training samples.
    """

    features: NDArray[np.float32]
    fine: NDArray[np.int64]
    coarse: NDArray[np.int64]
    n_fine: int
    n_coarse: int

    @cached_property
    def relation(self) -> NDArray[np.uint8]:
        """1 where samples of a fine class lie in a coarse class."""
        relation = np.zeros((self.n_fine, self.n_coarse), dtype=np.uint8)
        relation[self.fine, self.coarse] = 1
        return relation

    def __len__(self) -> int:
        return len(self.features)

    def take(self, rows: NDArray[np.bool_]) -> FeatureData:
        """Some of the samples; the codes stay what they are."""
        return FeatureData(self.features[rows], self.fine[rows], self.coarse[rows], self.n_fine, self.n_coarse)


def read_features(files: Sequence[Path]) -> tuple[FeatureData, FeatureData | None]:
    """Training and test samples of one file or of several parts; without an array `split` all are for training.

    Parameters
    ----------
    files
        npz files with `features`, a finite matrix (N, d), `coarse` and `fine`, labels (N,), and perhaps `split`, N times
        "train" or "test". Other arrays in them are not read, nor are pickled objects.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ValueError
        If an array is missing or does not fit the others, a fine class lies in two coarse ones, or a class has test
        samples alone.
    """
    if not files:
        msg = "features is empty: give at least one npz file."
        raise ValueError(msg)
    parts = [_arrays(path) for path in files]
    if len(widths := {part["features"].shape[1] for part in parts}) > 1:
        msg = f"features: the files have {sorted(widths)} features: give parts of one data set."
        raise ValueError(msg)
    features = as_input(np.concatenate([part["features"] for part in parts]))
    labels = {name: np.concatenate([part[name] for part in parts]) for name in ("fine", "coarse")}
    codes = {name: np.unique(values, return_inverse=True) for name, values in labels.items()}
    (fine_names, fine), (coarse_names, coarse) = codes["fine"], codes["coarse"]
    data = FeatureData(features, fine, coarse, len(fine_names), len(coarse_names))
    if (several := np.flatnonzero(data.relation.sum(axis=1) > 1)).size:
        msg = f"fine: samples of {listed(fine_names[several])} lie in several coarse classes each."
        raise ValueError(msg)
    is_test = np.concatenate([part["split"] for part in parts]) == "test"
    if not is_test.any():
        return data, None
    unseen = np.setdiff1d(fine[is_test], fine[~is_test])
    if unseen.size:
        msg = f"split: no training sample is of the fine classes {listed(fine_names[unseen])}."
        raise ValueError(msg)
    return data.take(~is_test), data.take(is_test)


def encoded(data: Path, encoder: str, out: Path, device: torch.device) -> list[Path]:
    """Files with the features of all parts of the images in `data`, in the folder `out`; those that are there are kept.

    Parameters
    ----------
    data
        Folder with `cifar100_part0.npz` and as many further parts as there are.
    encoder
        One of `ENCODERS`.

    Raises
    ------
    FileNotFoundError
        If there is no part.
    """
    from falcon_sc.benchmarks.images._encoder import SIDE, encode, load_encoder

    sources = sorted(data.glob(IMAGES))
    if not sources:
        msg = f"data={str(data)!r} has no file {IMAGES!r}."
        raise FileNotFoundError(msg)
    targets = [out / f"{encoder}_{source.name}" for source in sources]
    left = [(source, target) for source, target in zip(sources, targets, strict=True) if not target.is_file()]
    network = load_encoder(encoder, image_size=SIDE) if left else None
    out.mkdir(parents=True, exist_ok=True)
    for source, target in left:
        with np.load(source, allow_pickle=False) as file:
            kept = {name: file[name] for name in ("coarse", "fine", "split")}
            images = file["images"]
        print(f"{encoder}: {len(images):,} images of {source.name}", flush=True)
        assert network is not None  # something is left
        kept["features"] = encode(network, images, device)
        write_whole(target, lambda path, kept=kept: _write(path, kept))  # type: ignore[misc]
    return targets


def _write(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        msg = f"features={str(path)!r} is no file."
        raise FileNotFoundError(msg)
    with np.load(path, allow_pickle=False) as file:
        if missing := [name for name in _NEEDED if name not in file]:
            msg = f"features={str(path)!r} lacks the arrays {listed(missing)}; it has {listed(file)}."
            raise ValueError(msg)
        arrays = {name: file[name] for name in (*_NEEDED, "split") if name in file}
    n = len(arrays["features"])
    arrays.setdefault("split", np.full(n, "train"))
    if arrays["features"].ndim != 2 or any(arrays[name].shape != (n,) for name in ("coarse", "fine", "split")):
        shapes = {name: array.shape for name, array in arrays.items()}
        msg = f"features={str(path)!r}: give a matrix (N, d) and N labels of each kind, found the shapes {shapes}."
        raise ValueError(msg)
    if not np.isin(arrays["split"], ["train", "test"]).all():
        msg = f"split in {str(path)!r} holds {listed(np.unique(arrays['split']))}: only 'train' and 'test' are known."
        raise ValueError(msg)
    return arrays
