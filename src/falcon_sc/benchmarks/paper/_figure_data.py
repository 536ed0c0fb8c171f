"""The data of the figures: images of the paper, images of one's own, or cells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import listed
from falcon_sc.benchmarks.paper import _atlas
from falcon_sc.benchmarks.paper._figure_classes import LeftOutError
from falcon_sc.benchmarks.paper._figures_of_cells import CellTruth, SeenCells
from falcon_sc.benchmarks.paper._figures_of_images import SeenImages
from falcon_sc.benchmarks.paper._image_sets import SETS
from falcon_sc.core.runtime.files import as_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

    from falcon_sc.benchmarks.paper._figure_seen import Truth
    from falcon_sc.vision.datasets import ImageData
    from falcon_sc.vision.datasets._splits import Split

_OF_IMAGES, _OF_CELLS = ("split", "features", "backbone", "views"), ("coarse_key", "fine_key")
_COLUMNS = {"coarse_key": "cell_type", "fine_key": "cell_state"}  # as for `bench pbmc`


@dataclass(frozen=True)
class ImageSource:
    """Images of a split; `own` has the `features`, `backbone` and `views` of a model that needs them."""

    data: ImageData
    split: Split
    read: Callable[[Split], ImageData]
    own: dict[str, Any]
    samples = "images"

    def look(self, model: Path, asked: Sequence[str], device: str | None) -> SeenImages:
        """What a saved model says of them."""
        return SeenImages.by(model, self.data, asked, device=device, **self.own)

    def to_count(self) -> ImageData:
        """Those of the training part, for figure F1."""
        train = self.read("train")
        if not len(train):
            msg = "the data have no training image to count"
            raise LeftOutError(msg)
        return train

    def __str__(self) -> str:
        return f"{self.data!r} (split {self.split})"


@dataclass(frozen=True)
class CellSource:
    """Cells, all of a file."""

    adata: AnnData
    truth: CellTruth
    samples = "cells"

    def look(self, model: Path, asked: Sequence[str], device: str | None) -> SeenCells:
        """What a saved model says of them."""
        return SeenCells.by(model, self.adata, self.truth, asked, device=device)

    def to_count(self) -> Truth:
        """All of them, for figure F1."""
        return self.truth

    def __str__(self) -> str:
        return repr(self.truth)


def find_data(
    dataset: str | None, root: Path | None, data_file: Path | None, given: dict[str, Any]
) -> ImageSource | CellSource:
    """Read a data set of the paper, an npz of images or an h5ad of cells.

    Parameters
    ----------
    dataset, root
        Name in `SETS`, and the folder of its official files.
    data_file
        In place of these two.
    given
        `split`, `features` (files), `backbone` and `views`, which are for images, `coarse_key` and `fine_key`, which are
        for cells; None where they are not given.

    Raises
    ------
    ValueError
        If the data are named twice or not at all, something is given that is for the other kind, the split has no image,
        or the labels of cells are not nested.
    KeyError
        If the cells have no such columns.
    FileNotFoundError
        If files are missing.
    """
    if (dataset is None) == (data_file is None):
        msg = (
            "give either dataset and root, for a data set of the paper, or data, an npz of images or an h5ad of cells."
        )
        raise ValueError(msg)
    path = None if data_file is None else as_path(data_file)
    if path is not None and not path.is_file():
        msg = f"data={str(path)!r} is no file."
        raise FileNotFoundError(msg)
    of_cells = path is not None and path.suffix.lower() == ".h5ad"
    kind, others = ("cells", _OF_IMAGES) if of_cells else ("images", _OF_CELLS)
    if refused := [name for name in others if given[name] is not None]:
        msg = f"the data are {kind}: {listed(refused)} would be ignored. Leave them out."
        raise ValueError(msg)
    if of_cells:
        return _cells(path, {name: given[name] or column for name, column in _COLUMNS.items()})  # type: ignore[arg-type]
    return _images(_reader(dataset, root, path), given)


def _cells(path: Path, columns: dict[str, str]) -> CellSource:
    import anndata

    adata = anndata.read_h5ad(path)
    _atlas.check_labels(adata, **columns)
    return CellSource(adata, CellTruth.of(adata, **columns))


def _images(read: Callable[[Split], ImageData], given: dict[str, Any]) -> ImageSource:
    split: Split = given["split"] or "test"
    data = read(split)
    if not len(data):
        msg = f"split={split!r} has no image in these data: give --split train or all."
        raise ValueError(msg)
    own = {"backbone": given["backbone"], "views": given["views"]}
    own["features"] = None if given["features"] is None else _features(given["features"], split, data)
    return ImageSource(data, split, read, own)


def _features(files: Sequence[Path], split: Split, data: ImageData) -> NDArray[Any]:
    """The features of the images of a split, out of the files that `bench images` reads: a row for each image of the data."""
    from falcon_sc.vision.datasets._splits import rows_of

    parts = []
    for path in map(as_path, files):
        if not path.is_file():
            msg = f"features={str(path)!r} is no file."
            raise FileNotFoundError(msg)
        with np.load(path, allow_pickle=False) as file:
            if missing := [name for name in ("features", "fine", "split") if name not in file]:
                msg = f"features={str(path)!r} lacks the arrays {listed(missing)}; it has {listed(file)}."
                raise ValueError(msg)
            parts.append([file[name] for name in ("features", "fine", "split")])
    features, fine, part_of = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    rows = rows_of(split, fine.astype(np.int64), part_of == "test")
    if not np.array_equal(fine[rows], data.fine):
        msg = (
            f"features hold {int(rows.sum())} samples of split={split!r} that are not the {len(data)} images of the data, in "
            "their order: give the features of these."
        )
        raise ValueError(msg)
    return np.asarray(features[rows], dtype=np.float32)


def _reader(dataset: str | None, root: Path | None, path: Path | None) -> Callable[[Split], ImageData]:
    if path is not None:
        from falcon_sc.vision.datasets import from_npz

        return lambda split: from_npz(path, split=split)
    if dataset not in SETS:
        msg = f"dataset must be one of {listed(SETS)}, found {dataset!r}."
        raise ValueError(msg)
    if root is None:
        msg = "root is not given: name the folder of the official files."
        raise ValueError(msg)
    return partial(SETS[dataset].read, as_path(root))
