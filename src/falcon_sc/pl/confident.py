"""The most confident cells of each fine class, and the genes that mark them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from falcon_sc._checks import check_int, listed, obs_column
from falcon_sc._gene_values import read_gene_values
from falcon_sc.pl._classes import check_column, read_about, read_classes
from falcon_sc.pl._names import shown
from falcon_sc.pl._style import GRID, LITERAL, QUIET, check_ax, inches, ink, parent_colors, quiet, scaled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection

    from falcon_sc._gene_values import GeneValues

_LARGEST_DOT = 130  # square points


def confident(
    adata: AnnData,
    *,
    key: str = "falcon",
    coarse: str | Sequence[str] | None = None,
    n_cells: int = 50,
    n_genes: int = 2,
    layer: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the genes that mark the most confident cells of each fine class against its siblings.

    Of each fine class the `n_cells` cells with the highest confidence are taken. Genes are ranked by
    Welch's t statistic of their log-normalized values in those cells against those of the sibling
    classes in the same coarse class (a class without siblings: against all other classes). The
    values that defined the classes rank the genes here, so this describes the classes and tests nothing.

    The size of a dot is the share of those cells in which the gene was found; its color is the mean,
    scaled to [0, 1] over the classes drawn. Continuous values (``params["assumed"]``) are taken as they are, and a gene is
    found where it is above its mean over all cells. The number beside a row is the median confidence.

    .. image:: /_static/pl/confident.png
        :alt: A dot for each of ten fine classes and its marker genes

    Classes go by name: the object may have been subset, and classes merged, reordered or renamed. The confidence is
    that of the cell in the class it was found in; of two classes that were merged since nobody knows another one.

    Parameters
    ----------
    adata
        Annotated data, after :func:`falcon_sc.tl.discover` or :func:`falcon_sc.tl.predict`.
    key
        Their `key_added`.
    coarse
        Draw the fine classes of this coarse class only, or of those in a list.
    n_cells
        Number of cells taken from each fine class.
    n_genes
        Number of genes for each fine class.
    layer
        Layer to read instead of ``adata.X``: raw counts, log-normalized values, or the continuous values that the classes
        were found in.
    ax
        Where to draw; by default on a new figure large enough for all names.

    Returns
    -------
    The axes. Nothing is written to `adata`.

    Raises
    ------
    KeyError
        Nothing was discovered under `key`, or `layer` is missing.
    TypeError
        `adata` is no AnnData, `key` no name, a number no int, or `ax` no Axes.
    ValueError
        `coarse` is not a coarse class; no cell has a fine class, or nothing says which coarse class a new name
        belongs to; wrong values in the matrix.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> adata = fsc.datasets.pbmc68k_reduced()
    >>> fsc.tl.discover(adata, coarse_key="coarse", n_fine=10, max_epochs=5, progress_bar=False)
    >>> ax = fsc.pl.confident(adata, coarse="T cell")
    """
    import matplotlib.pyplot as plt

    check_ax(ax)
    n_cells, n_genes = check_int(n_cells, "n_cells"), check_int(n_genes, "n_genes")
    found_now = read_classes(adata, key)
    check_column(adata, f"{key}_confidence", key)
    confidence = obs_column(adata, f"{key}_confidence", "key").to_numpy(np.float64, na_value=np.nan)
    classes = np.flatnonzero(found_now.sizes)
    names, parents = found_now.names[classes], found_now.parents[classes]
    drawn = _drawn(parents, coarse)
    cells, codes = _most_confident(found_now.codes, confidence, classes, n_cells)
    typical = np.array([_median(confidence[cells[codes == code]]) for code in drawn])
    values = read_gene_values(adata, read_about(adata, key), layer)
    candidates = values.genes
    mean, square, found = _class_means(values, cells, codes, classes.size)
    sizes = np.bincount(codes, minlength=classes.size)
    markers = _markers(mean, square, sizes, parents, drawn, n_genes=n_genes)

    rows, genes = shown(names[drawn]), shown(adata.var_names[candidates[markers]])
    if ax is None:
        size = (
            1.8 + inches(rows, 8) + scaled(0.2) * markers.size,
            1 + inches(genes, 7) + scaled(0.24) * drawn.size,
        )
        _, ax = plt.subplots(figsize=size, layout="constrained")
    dots = _draw_dots(ax, mean[np.ix_(drawn, markers)], found[np.ix_(drawn, markers)])
    _name_rows(ax, rows, parents[drawn], parent_colors(adata, key, list(dict.fromkeys(parents[drawn]))), typical)
    ax.set_xticks(range(markers.size), genes, rotation=90, fontsize=scaled(7), **LITERAL)
    counted = "above the mean of all" if values.continuous else "with the gene"
    ax.set_xlabel(f"dot size: share of the cells {counted}", fontsize=scaled(7))
    bar = ax.figure.colorbar(dots, ax=ax, shrink=min(1.0, 1.6 / (0.24 * drawn.size)), aspect=12, pad=0.02)
    bar.set_label("mean, scaled", color=QUIET, fontsize=scaled(7))
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=scaled(7), colors=QUIET)
    return ax


def _drawn(parents: np.ndarray, coarse: str | Sequence[str] | None) -> np.ndarray:
    """Places of the classes to draw: all, or those of some coarse classes."""
    if coarse is None:
        return np.arange(parents.size)
    asked = [str(name) for name in coarse] if isinstance(coarse, list | tuple | np.ndarray) else [str(coarse)]
    if not asked:
        msg = f"coarse={coarse!r} names no coarse class; there are {listed(dict.fromkeys(parents))}."
        raise ValueError(msg)
    if unknown := [name for name in asked if name not in parents]:
        msg = f"coarse={unknown[0]!r} is no coarse class with fine classes; there are {listed(dict.fromkeys(parents))}."
        raise ValueError(msg)
    return np.flatnonzero(np.isin(parents.astype(str), asked))


def _most_confident(
    fine: np.ndarray, confidence: np.ndarray, classes: np.ndarray, n_cells: int
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the most confident cells of each class, and the place of their class in `classes`."""
    by_confidence = np.argsort(-confidence, kind="stable")
    taken = [by_confidence[fine[by_confidence] == code][:n_cells] for code in classes]
    codes = np.repeat(np.arange(classes.size), [cells.size for cells in taken])
    return np.concatenate(taken), codes


def _median(confidence: np.ndarray) -> float:
    """Of the cells that have a confidence: one that was put into a class by hand may have none."""
    known = confidence[~np.isnan(confidence)]
    return float(np.median(known)) if known.size else float("nan")


def _class_means(values: GeneValues, cells: np.ndarray, codes: np.ndarray, n_classes: int) -> tuple[np.ndarray, ...]:
    """Mean and mean square of every gene, and share of the cells in which it was found, each n_classes x n_genes."""
    member = sparse.csr_matrix((np.ones(codes.size), (codes, np.arange(codes.size))), (n_classes, codes.size))
    sizes = np.bincount(codes, minlength=n_classes)[:, None]
    chosen = values.matrix[cells]
    matrices = chosen, chosen.multiply(chosen), values.found(cells)
    return tuple((member @ matrix.tocsr()).toarray() / sizes for matrix in matrices)


def _markers(
    mean: np.ndarray, square: np.ndarray, sizes: np.ndarray, parents: np.ndarray, drawn: np.ndarray, *, n_genes: int
) -> np.ndarray:
    """The best genes of each class that is drawn, in the order of the classes, each gene once."""
    markers: dict[int, None] = {}
    for code in drawn:
        others = np.arange(parents.size) != code
        siblings = others & (parents == parents[code])
        statistic = _welch(mean, square, sizes, code, siblings if siblings.any() else others)
        markers |= dict.fromkeys(np.argsort(-statistic, kind="stable")[:n_genes].tolist())
    return np.array(list(markers))


def _welch(mean: np.ndarray, square: np.ndarray, sizes: np.ndarray, code: int, others: np.ndarray) -> np.ndarray:
    """Welch's t of one class against the pooled cells of the others, for every gene."""
    n_others = max(sizes[others].sum(), 1)  # nobody: the mean itself ranks the genes
    weight = sizes[others] / n_others
    mean_others, square_others = weight @ mean[others], weight @ square[others]
    spread = (square[code] - mean[code] ** 2) / sizes[code]
    spread_others = (square_others - mean_others**2) / n_others
    # A gene constant in both groups would divide zero by zero.
    return np.asarray((mean[code] - mean_others) / np.sqrt(np.maximum(spread + spread_others, 1e-9)))


def _draw_dots(ax: Axes, mean: np.ndarray, found: np.ndarray) -> PathCollection:
    """One dot for each class and gene."""
    least = np.minimum(mean.min(axis=0), 0)  # below zero for continuous values only
    largest = np.maximum(mean.max(axis=0) - least, 1e-9)
    row, column = np.indices(mean.shape)
    return ax.scatter(
        column.ravel(), row.ravel(), s=_LARGEST_DOT * found.ravel(), c=((mean - least) / largest).ravel(),
        cmap="Reds", vmin=0, vmax=1, edgecolors="#bdbdbd", linewidths=0.3,
    )  # fmt: skip


def _name_rows(ax: Axes, names: list[str], parents: np.ndarray, colors: dict[str, str], typical: np.ndarray) -> None:
    """Names of the fine classes, a stem in the color of their coarse class, and their median confidence."""
    ax.set(xlim=(-0.9, ax.dataLim.x1 + 0.8), ylim=(len(names) - 0.4, -0.6))
    quiet(ax)
    ax.set_yticks(range(len(names)), names, fontsize=scaled(8), **LITERAL)
    ax.tick_params(axis="x", colors=ink(ax))
    ax.tick_params(axis="y", colors=ink(ax), pad=8)
    for parent, color in colors.items():
        rows = np.flatnonzero(parents == parent)
        ax.plot(
            [0, 0], [rows[0] - 0.4, rows[-1] + 0.4], transform=ax.get_yaxis_transform(), color=color, linewidth=3,
            solid_capstyle="butt", clip_on=False,
        )  # fmt: skip
    for row, value in enumerate(typical):
        ax.annotate(
            "none" if np.isnan(value) else f"{value:.2f}", (1, row), xycoords=ax.get_yaxis_transform(), xytext=(3, 0), textcoords="offset points",
            va="center", fontsize=scaled(7), color=QUIET,
        )  # fmt: skip
    for edge in np.flatnonzero(parents[1:] != parents[:-1]):
        ax.axhline(edge + 0.5, zorder=0, **GRID)
