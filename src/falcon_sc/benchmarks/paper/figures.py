"""Figures 2, 3, 4, F1, K1 and L1 of the paper, as files, from a saved model."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from falcon_sc._checks import check_writable, listed
from falcon_sc.benchmarks import _tables
from falcon_sc.benchmarks.paper._class_sizes import draw_class_sizes
from falcon_sc.benchmarks.paper._figure_classes import FIGURES, LeftOutError
from falcon_sc.benchmarks.paper._figures_of_images import SeenImages
from falcon_sc.benchmarks.paper._image_sets import SETS
from falcon_sc.core.runtime.files import as_path, write_whole
from falcon_sc.core.state.persistence import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pandas as pd
    from matplotlib.figure import Figure
    from torch import nn

    from falcon_sc.core.data.batches import Views
    from falcon_sc.vision.datasets import ImageData
    from falcon_sc.vision.datasets._splits import Split

    Draw = Callable[[str], tuple[Figure, str]]  # from a number in the paper to the figure and what is on it

_FORMATS = ("png", "pdf")
_DPI = 200
_NO_MODEL = "it needs a model, and none is given (--model)"


def run(
    *,
    model: Path | None = None,
    dataset: str | None = None,
    root: Path | None = None,
    data_file: Path | None = None,
    split: Split = "test",
    figures: Sequence[str] = FIGURES,
    classes: Sequence[str] = (),
    backbone: nn.Module | None = None,
    views: Views | None = None,
    out: Path | None = None,
    device: str | None = None,
) -> pd.DataFrame:
    """Draw the figures of the paper from a model and its data; what these lack leaves a figure out, and says why.

    Images are put into fine classes without their coarse ones, as in the paper. A model that was told the coarse classes
    of the data gives figures 2, 3 and K1; one that was told the fine ones, and found subclasses in these, 4 and L1; the
    data alone F1.

    Parameters
    ----------
    model
        Folder of a model that :func:`falcon_sc.vision.discover` saved, or `bench paper` kept. Its coarse classes are known
        by name or by all of their numbers in the data.
    dataset, root
        Name of a data set of the paper, and the folder of its official files, as for `bench paper`.
    data_file
        npz that :func:`falcon_sc.vision.datasets.from_npz` reads, in place of these two.
    split
        The images that are shown, but for F1, which counts those of the official training part.
    figures
        Numbers of figures.
    classes
        Classes that figures 2 (the first two of them), 3 and 4 show. Default: those of the captions, if the data have
        them, else the first two that are divided.
    backbone, views
        Only for a model of its own backbone or views, see :func:`falcon_sc.vision.load`.
    out
        Folder for ``figure_<number>.png`` and ``.pdf``, and ``figures.csv`` and ``.md``: what is on each, or why it was
        left out.
    device
        None: a GPU if there is one.

    Returns
    -------
    A row for each figure that was asked for: ``figure``, ``file`` (missing if it was left out) and ``text``.

    Raises
    ------
    ValueError
        If a name is unknown, the data are named twice or not at all, the split has no image, the model does not fit the
        data, or every figure is left out.
    FileNotFoundError
        If there is no model, or files of the data are missing.

    Examples
    --------
    >>> from falcon_sc.benchmarks.paper import figures
    >>> table = figures.run(model="falcon_model", data_file="images.npz", out="results")  # doctest: +SKIP
    """
    folder = _checked_folder(out, figures)
    read = _reader(dataset, root, data_file)
    if model is not None:
        describe(model)  # or it is not there, or cannot be read
    data = read(split)
    if not len(data):
        msg = f"split={split!r} has no image in these data: give --split train or all."
        raise ValueError(msg)
    seen = None
    if model is not None:
        options = {"backbone": backbone, "views": views, "device": device}
        seen = SeenImages.by(as_path(model), data, classes, **options)  # type: ignore[arg-type]
    rows = [_row(figure, partial(_draw, seen, read), folder) for figure in figures]
    if all(row["file"] is None for row in rows):
        msg = "no figure can be drawn: " + "; ".join(f"figure {row['figure']}, {row['text']}" for row in rows) + "."
        raise ValueError(msg)
    return _table(rows, folder, split, data)


def _checked_folder(out: Path | None, figures: Sequence[str]) -> Path:
    """Where the files go, once all names are known to be right."""
    if unknown := [figure for figure in figures if figure not in FIGURES]:
        msg = f"figures holds {listed(unknown)}: there are {listed(FIGURES)}."
        raise ValueError(msg)
    if out is None:
        msg = "out is not given: name a folder for the figures (-o)."
        raise ValueError(msg)
    return check_writable(out, "out", folder=True)


def _reader(dataset: str | None, root: Path | None, data_file: Path | None) -> Callable[[Split], ImageData]:
    if (dataset is None) == (data_file is None):
        msg = "give either dataset and root, for a data set of the paper, or data, an npz file of images."
        raise ValueError(msg)
    if data_file is not None:
        from falcon_sc.vision.datasets import from_npz

        path = as_path(data_file)
        if not path.is_file():
            msg = f"data={str(path)!r} is no file."
            raise FileNotFoundError(msg)
        return lambda split: from_npz(path, split=split)
    if dataset not in SETS:
        msg = f"dataset must be one of {listed(SETS)}, found {dataset!r}."
        raise ValueError(msg)
    if root is None:
        msg = "root is not given: name the folder of the official files."
        raise ValueError(msg)
    return partial(SETS[dataset].read, as_path(root))


def _draw(seen: SeenImages | None, read: Callable[[Split], ImageData], figure: str) -> tuple[Figure, str]:
    """One figure and what is on it."""
    if figure == "F1":
        return _class_sizes(read("train"))
    if seen is None:
        raise LeftOutError(_NO_MODEL)
    return seen.draw(figure)


def _class_sizes(data: ImageData) -> tuple[Figure, str]:
    if not len(data):
        msg = "the data have no training image to count"
        raise LeftOutError(msg)
    sizes = [int((data.fine == code).sum()) for code in range(len(data.fine_names))]
    figure = draw_class_sizes(data.fine, data.relation, data.fine_names, data.coarse_names, "images")
    return figure, (
        f"Training images of each of {len(sizes)} fine classes, those of a coarse class side by side: {min(sizes):,} to "
        f"{max(sizes):,}, {sum(sizes):,} in all."
    )


def _row(figure: str, draw: Draw, folder: Path) -> dict[str, Any]:
    """Draw a figure and save it; or say why not."""
    from matplotlib import pyplot as plt

    try:
        drawn, text = draw(figure)
    except LeftOutError as reason:
        print(f"figure {figure} is left out: {reason}", flush=True)
        return {"figure": figure, "file": None, "text": f"left out: {reason}"}
    folder.mkdir(parents=True, exist_ok=True)
    for kind in _FORMATS:
        save = partial(drawn.savefig, format=kind, dpi=_DPI, bbox_inches="tight", pad_inches=0.08)
        write_whole(folder / f"figure_{figure}.{kind}", save)
    plt.close(drawn)
    print(f"figure {figure}: {text}", flush=True)
    return {"figure": figure, "file": f"figure_{figure}.png", "text": text}


def _table(rows: list[dict[str, Any]], folder: Path, split: str, data: ImageData) -> pd.DataFrame:
    import pandas as pd

    table = pd.DataFrame(rows)
    about = f"Figures of the paper from a saved model; {data!r} (split {split})."
    _tables.save(table, folder, "figures", about=about)
    return table
