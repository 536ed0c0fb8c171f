"""A look deeper into one coarse class than the tree goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from falcon_sc._checks import check_adata, check_int, check_rng
from falcon_sc._log import show_log
from falcon_sc.pl._classes import read_about
from falcon_sc.tl._coarse_names import CoarseNames
from falcon_sc.tl._cut import cutting
from falcon_sc.tl._decide import copy_with_model, decide
from falcon_sc.tl._refine import coarse_class, refined
from falcon_sc.tl._tree import read_tree

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from anndata import AnnData

    from falcon_sc.core.model import Falcon
    from falcon_sc.core.state.decisions import Decision, FineClasses


def refine(
    adata: AnnData,
    name: Any,
    n_fine: int,
    *,
    key: str = "falcon",
    model: Falcon | str | Path | None = None,
    progress_bar: bool = True,
    rng: int | np.random.Generator | None = 0,
    copy: bool = False,
) -> AnnData | None:
    """Look deeper into one coarse class: more fine classes than its tree of splits has leaves, and every other class as it is.

    Up to the number of leaves this is :func:`falcon_sc.tl.cut`. For more, the cells of the class are clustered anew, as by
    :func:`falcon_sc.tl.discover` when that number is given, contrasted with the other coarse classes, with a tree about twice as
    deep and the evidence for its splits. The network is not trained again: it still says how probable the coarse class is,
    and a logistic regression on what it reads shares that out and decides which cell is in which class. Names and merges inside
    the class are gone afterwards.

    Parameters
    ----------
    adata
        Annotated data, after :func:`falcon_sc.tl.discover`, with the matrix or embedding that it read; cells may have been
        taken out since.
    name
        The coarse class, as the column of coarse labels calls it now.
    n_fine
        Its number of fine classes.
    key
        `key_added` of the result.
    model
        The model of these classes, to be changed as well: a :class:`falcon_sc.Falcon`, or the folder of a saved one. The folder
        that ``discover(..., save_model=...)`` wrote is known and changed without it. A model that was not changed with the
        object cannot be brought up to date later. Where there is none, the object alone is changed.
    progress_bar
        Show a bar over the fits.
    rng
        Seed or generator. The same seed gives the same labels, bit for bit.
    copy
        Work on a copy and return it. The saved model then stays as it is and belongs to `adata`, unless it is given as `model`;
        a folder that is given there is the saved model of the copy.

    Returns
    -------
    None if ``copy=False``, else the copy. Changes these fields (for ``key="falcon"``), of the cells of that class; those of
    others stay bit for bit:

    ``adata.obs["falcon_fine"]`` : category
        The fine classes, ``"<coarse>:<i>"`` with i by falling size.
    ``adata.obs["falcon_confidence"]``, ``adata.obs["falcon_agreement"]`` : float32
        How far the clusterings agree, as after :func:`falcon_sc.tl.discover`.
    ``adata.obs["falcon_leaf"]`` : category
        The leaf of the tree.
    ``adata.obsm["falcon_proba"]``, ``adata.obsm["falcon_leaf_proba"]`` : float32, n_obs x n_fine, n_obs x leaves
        Other columns for this class, also of cells without a coarse label, whose sum is what it was.
    ``adata.uns["falcon"]`` : dict
        ``M``, ``fine_names``, ``tree``, and ``decisions``, where a refinement has a row for each new leaf.
    ``adata.uns["falcon_fine_colors"]`` : list of str
        A color for each category.

    Raises
    ------
    KeyError
        Nothing was discovered under `key`; the leaves of the cells, ``adata.var["falcon_highly_variable"]``, or what `discover` read, is gone.
    TypeError
        `n_fine` is no int; `rng` is no seed.
    ValueError
        `name` is no coarse class, or two are called so now; `n_fine` is more than its cells; there is no tree; `model` is not the one of these classes or
        has been refined otherwise; the saved model cannot be read, and no other is given. Nothing is changed then.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> adata = fsc.datasets.pbmc68k_reduced()
    >>> fsc.tl.discover(adata, coarse_key="coarse", n_fine=10, max_epochs=5, progress_bar=False)
    >>> fsc.tl.refine(adata, "T cell", n_fine=12, progress_bar=False)
    >>> sum(name.startswith("T cell:") for name in adata.uns["falcon"]["fine_names"])
    12
    """
    show_log()
    check_adata(adata, copy=copy, genes=False)
    about = read_about(adata, key)
    tree = read_tree(about, key)
    names = CoarseNames.of(adata, key)
    column = coarse_class(name, about, names)
    n_fine = check_int(n_fine, "n_fine")
    check_rng(rng)
    if n_fine <= (tree.leaf_coarse == column).sum():
        fixed = {name: n_fine}

        def make(about: Mapping[str, Any], classes: FineClasses) -> Decision:
            return cutting(about, classes, None, fixed, names=names, key=key)

        return decide(adata, key, make, model, copy=copy)
    adata = copy_with_model(adata, key, model) if copy else adata
    refined(adata, key, column, n_fine, model=model, rng=rng, progress_bar=progress_bar)
    return adata if copy else None
