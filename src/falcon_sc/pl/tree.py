"""How each coarse class comes apart into fine classes, and what speaks for each split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from falcon_sc._checks import check_int, check_is_anndata, listed
from falcon_sc.pl._classes import read_classes
from falcon_sc.pl._names import shown
from falcon_sc.pl._sibling_markers import is_tested, markers_of, stored_markers
from falcon_sc.pl._splits import read_trees
from falcon_sc.pl._style import check_ax, class_colors, parent_colors
from falcon_sc.pl._tree_drawing import Block, Label, TreePicture
from falcon_sc.pl._tree_rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData
    from matplotlib.axes import Axes


def tree(
    adata: AnnData,
    coarse: str | None = None,
    *,
    key: str = "falcon",
    depth: int | None = 1,
    n_markers: int = 3,
    ax: Axes | None = None,
) -> Axes:
    """Draw the splits inside the coarse classes, with the evidence for each: where to cut, and what to doubt.

    From left to right a coarse class comes apart: a knot is a split, at the number of fine classes from which on it is
    made. Splits that are made now are thick and colored; gray ones would be next. A filled knot is a split that the
    evidence supports, an empty one with broken lines is not. Beside a knot stands how well the split *comes back* in the
    other half of the molecules (of an embedding: of the cells) and the *agreement* of the clusterings about it, both 1 for
    fully and 0 for chance; the number of genes that differ between its sides, in molecules that were not used to find
    them; and depth, mitochondria or batch, if one of them explains half of it or more. Beside the mark of a fine class
    stand its cells, and its markers against its siblings if :func:`falcon_sc.tl.markers` was run. On the right, in gray, is
    what would be split next, and at how many fine classes of the coarse class.

    .. image:: /_static/pl/tree.png
        :alt: Five coarse classes of blood cells, the splits inside them with numbers beside each, and ten fine classes with genes

    Move the cut with :func:`falcon_sc.tl.cut`. Classes go by the names that the cells have now: the object may have been
    subset and its categories reordered, and classes merged or renamed by :func:`falcon_sc.tl.merge` and
    :func:`falcon_sc.tl.rename`. Cells of the parts of a class are those of the run.

    Parameters
    ----------
    adata
        Annotated data, after :func:`falcon_sc.tl.discover`.
    coarse
        Draw this coarse class only; by default all of them, below each other.
    key
        `key_added` of the result.
    depth
        Levels of splits that are drawn below the present fine classes: 0 for none, `None` for all that were found.
    n_markers
        Genes for each fine class, at most.
    ax
        Where to draw, on nine inches or more for most names; by default on a new figure large enough for everything.

    Returns
    -------
    The axes. Nothing is written to `adata`.

    Raises
    ------
    KeyError
        Nothing was discovered under `key`, or without a tree of splits: see :func:`falcon_sc.tl.discover`.
    TypeError
        `adata` is no AnnData, `key` no name, `depth` or `n_markers` no int, or `ax` no Axes.
    ValueError
        `coarse` is not a coarse class with cells; a class was named in the column and not by
        :func:`falcon_sc.tl.rename`, so that nothing says where in the tree it belongs; `depth` or `n_markers` is negative.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> adata = fsc.datasets.pbmc68k_reduced()
    >>> fsc.tl.discover(adata, coarse_key="coarse", n_fine=10, max_epochs=5, progress_bar=False)
    >>> ax = fsc.pl.tree(adata, "T cell")
    """
    import matplotlib.pyplot as plt

    check_is_anndata(adata)
    check_ax(ax)
    depth = None if depth is None else check_int(depth, "depth", minimum=0)
    n_markers = check_int(n_markers, "n_markers", minimum=0)
    picture = read_picture(adata, key, coarse, stored_markers(adata, key), depth=depth, n_markers=n_markers)
    if ax is not None:
        picture.draw(ax)
    else:
        _, ax = plt.subplots(figsize=picture.size, layout="constrained")
        picture.draw(ax, picture.size[0])
    return ax


def read_picture(
    adata: AnnData,
    key: str,
    coarse: str | None,
    markers: Mapping[str, Any] | None,
    *,
    depth: int | None,
    n_markers: int,
) -> TreePicture:
    """What is to be drawn; `markers` are scanpy's tests of the classes against their siblings, if there are any."""
    classes = read_classes(adata, key)
    trees = read_trees(adata, key, classes)
    if coarse is not None:
        if str(coarse) not in trees:
            msg = f"coarse={coarse!r} is no coarse class with fine classes; there are {listed(trees)}."
            raise ValueError(msg)
        trees = {str(coarse): trees[str(coarse)]}
    colors = class_colors(adata, key)
    names = [name for root in trees.values() for name in root.classes]
    drawn = iter(shown([*trees, *names]))
    titles = {name: next(drawn) for name in trees}
    sizes = dict(zip(classes.names.tolist(), classes.sizes.tolist(), strict=True))
    labels = {}
    for name, title in zip(names, drawn, strict=True):
        size = sizes[name]
        genes = markers_of(markers, name)[:n_markers] if markers is not None and is_tested(markers, name) else None
        known = "" if genes is None else ", ".join(shown(genes)) or "no marker"
        labels[name] = Label(title, colors[name], f"{size:,} cell{'s' * (size != 1)}", known if n_markers else "")
    own = parent_colors(adata, key, list(trees))
    blocks = []
    for name, root in trees.items():
        n_cells, n_classes = classes.sizes[classes.parents == name].sum(), len(root.classes)
        about = f"{n_cells:,} cells, {n_classes} fine class{'es' * (n_classes != 1)}"
        blocks.append(Block(titles[name], own[name], about, rows_of(root, depth)))
    return TreePicture(blocks, labels)
