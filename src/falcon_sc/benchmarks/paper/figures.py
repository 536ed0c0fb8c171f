"""Figures 2, 3, 4, F1, K1 and L1 of the paper, as files, from a saved model."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from falcon_sc._checks import check_writable
from falcon_sc.benchmarks import _tables
from falcon_sc.benchmarks._asked import chosen
from falcon_sc.benchmarks.paper._class_sizes import draw_class_sizes
from falcon_sc.benchmarks.paper._figure_classes import FIGURES, LeftOutError
from falcon_sc.benchmarks.paper._figure_data import find_data
from falcon_sc.core.runtime.files import as_path, write_whole
from falcon_sc.core.state.persistence import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pandas as pd
    from matplotlib.figure import Figure
    from torch import nn

    from falcon_sc.benchmarks.paper._figure_data import CellSource, ImageSource
    from falcon_sc.benchmarks.paper._figure_seen import Seen, Truth
    from falcon_sc.core.data.batches import Views
    from falcon_sc.vision.datasets._splits import Split

_FORMATS = ("png", "pdf")
_DPI = 200
_NO_MODEL = "it needs a model, and none is given (--model)"


def run(
    *,
    model: Path | None = None,
    dataset: str | None = None,
    root: Path | None = None,
    data_file: Path | None = None,
    split: Split | None = None,
    coarse_key: str | None = None,
    fine_key: str | None = None,
    figures: Sequence[str] = FIGURES,
    classes: Sequence[str] = (),
    features: Sequence[Path] | None = None,
    backbone: nn.Module | None = None,
    views: Views | None = None,
    out: Path | None = None,
    device: str | None = None,
) -> pd.DataFrame:
    """Draw the figures of the paper from a model and its data; what these lack leaves a figure out, and says why.

    Images and cells are put into fine classes without their coarse ones, as in the paper. Where that shows images, cells
    show the genes that mark them. A model that was told the coarse classes
    of the data gives figures 2, 3 and K1; one that was told the fine ones, and found subclasses in these, 4 and L1; the
    data alone F1.

    Parameters
    ----------
    model
        Folder of a model that :func:`falcon_sc.vision.discover` or :func:`falcon_sc.tl.discover` saved, or `bench paper`
        kept. Its coarse classes are known by name or by all of their numbers in the data.
    dataset, root
        Name of a data set of the paper, and the folder of its official files, as for `bench paper`.
    data_file
        In place of these two: an npz that :func:`falcon_sc.vision.datasets.from_npz` reads, or an h5ad of cells.
    split
        The images that are shown, but for F1, which counts those of the official training part. Default: test.
    coarse_key, fine_key
        Columns of `obs` of the cells. Default: ``cell_type`` and ``cell_state``, as for `bench pbmc`.
    figures
        Numbers of figures.
    classes
        Classes that figures 2 (the first two of them), 3 and 4 show. Default: those of the captions, if the data have
        them, else the first two that are divided.
    features
        Only for a model of features that were computed before: npz files as `bench images` reads them, with the features
        of the images of the data in their order.
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
        If a name is unknown, the data are named twice or not at all, something is given that is for other data, the split
        has no image, labels are missing or not nested, the model does not fit the data, or every figure is left out.
    KeyError
        If the cells have no such columns.
    FileNotFoundError
        If there is no model, or files of the data are missing.

    Examples
    --------
    >>> from falcon_sc.benchmarks.paper import figures
    >>> table = figures.run(model="falcon_model", data_file="images.npz", out="results")  # doctest: +SKIP
    """
    import pandas as pd

    figures = chosen(figures, FIGURES, "figures")
    folder = _checked_folder(out)
    if model is not None:
        describe(model)  # or it is not there, or cannot be read
    given: dict[str, Any] = {"split": split, "features": features, "backbone": backbone, "views": views}
    given |= {"coarse_key": coarse_key, "fine_key": fine_key}
    source = find_data(dataset, root, data_file, given)
    seen = None if model is None else source.look(as_path(model), classes, device)
    rows = [_row(figure, partial(_draw, source, seen, figure), folder) for figure in figures]
    if all(row["file"] is None for row in rows):
        msg = "no figure can be drawn: " + "; ".join(f"figure {row['figure']}, {row['text']}" for row in rows) + "."
        raise ValueError(msg)
    table = pd.DataFrame(rows)
    _tables.save(table, folder, "figures", about=f"Figures of the paper from a saved model; {source}.")
    return table


def _checked_folder(out: Path | None) -> Path:
    """Where the files go."""
    if out is None:
        msg = "out is not given: name a folder for the figures (-o)."
        raise ValueError(msg)
    return check_writable(out, "out", folder=True)


def _draw(source: ImageSource | CellSource, seen: Seen | None, figure: str) -> tuple[Figure, str]:
    """One figure and what is on it."""
    if figure == "F1":
        return _class_sizes(source.to_count(), source.samples)
    if seen is None:
        raise LeftOutError(_NO_MODEL)
    return seen.draw(figure)


def _class_sizes(truth: Truth, samples: str) -> tuple[Figure, str]:
    sizes = [int((truth.fine == code).sum()) for code in range(len(truth.fine_names))]
    figure = draw_class_sizes(truth.fine, truth.relation, truth.fine_names, truth.coarse_names, samples)
    part = "Training images" if samples == "images" else "Cells"
    return figure, (
        f"{part} of each of {len(sizes)} fine classes, those of a coarse class side by side: {min(sizes):,} to "
        f"{max(sizes):,}, {sum(sizes):,} in all."
    )


def _row(figure: str, draw: Callable[[], tuple[Figure, str]], folder: Path) -> dict[str, Any]:
    """Draw a figure and save it; or say why not."""
    from matplotlib import pyplot as plt

    try:
        drawn, text = draw()
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
