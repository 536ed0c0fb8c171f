"""Other numbers of fine classes, without running again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from falcon_sc.tl._coarse_names import CoarseNames
from falcon_sc.tl._cut import cutting
from falcon_sc.tl._decide import decide

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any, Literal

    from anndata import AnnData

    from falcon_sc.core.model import Falcon
    from falcon_sc.core.state.decisions import Decision, FineClasses


def cut(
    adata: AnnData,
    n_fine: int | Literal["auto"] | None = None,
    *,
    fixed: Mapping[Any, int] | None = None,
    key: str = "falcon",
    model: Falcon | str | Path | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Move the cut through the tree of splits: other numbers of fine classes in a second, in the object and in its model.

    :func:`falcon_sc.tl.discover` finds a tree of splits inside each coarse class, about twice as deep as the classes it
    writes. Any cut through it is a set of fine classes: a class is a join of those of a deeper cut, and has the sum of their
    probabilities. A coarse class whose number stays as it is stays as it is, with merges and names; in the others the
    cut starts from the tree, and undoes merges there.

    Parameters
    ----------
    adata
        Annotated data, after :func:`falcon_sc.tl.discover`; cells may have been taken out since.
    n_fine
        Total number of fine classes, shared out as `discover` shares it out; coarse classes whose number was given to
        `discover` keep the number they have. Where all were given or estimated, the best supported splits come first.
        ``"auto"``: the splits that are supported, and all above them
        (``adata.uns["falcon"]["tree"]["supported"]``). None: as they are, but for `fixed`.
    fixed
        Numbers of some coarse classes, for instance ``{"T cell": 6, "HSC": 1}``: at most the leaves that the tree has there.
        Classes go by the names that the column of coarse labels has now.
    key
        `key_added` of the result.
    model
        The model of these classes, to be changed as well: a :class:`falcon_sc.Falcon`, or the folder of a saved one. The folder
        that ``discover(..., save_model=...)`` wrote is known and changed without it.
    copy
        Work on a copy and return it. The saved model then stays as it is and belongs to `adata`, unless it is given as `model`;
        a folder that is given there is the saved model of the copy.

    Returns
    -------
    None if ``copy=False``, else the copy. Changes these fields (for ``key="falcon"``):

    ``adata.obs["falcon_fine"]`` : category
        The fine classes. One that has the cells of a former one keeps its name; otherwise ``"T:0+1"`` is a join, and ``"T:0.1"``
        a part, of the classes that `discover` found.
    ``adata.obs["falcon_confidence"]`` : float32
        What the confidence in the class that `discover` found is worth for the new one.
    ``adata.obsm["falcon_proba"]`` : float32, n_obs x n_fine
        Sums of the probabilities of the leaves.
    ``adata.uns["falcon"]`` : dict
        ``M``, ``fine_names``, ``tree["class_of_leaf"]``, and ``decisions``, where a cut has a row for each leaf.
    ``adata.uns["falcon_fine_colors"]`` : list of str
        A color for each category.

    Raises
    ------
    KeyError
        Nothing was discovered under `key`, or the leaves of the cells are gone.
    TypeError
        `n_fine` is neither an int, nor "auto", nor None; `fixed` is no mapping to ints.
    ValueError
        There is no tree; neither `n_fine` nor `fixed` is given; a number that the tree cannot give; `fixed` names a coarse
        class that is not there, or by a name that two have now; `model` is not the one of these classes, or has been refined otherwise. Nothing is changed then.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> adata = fsc.datasets.pbmc68k_reduced()
    >>> fsc.tl.discover(adata, coarse_key="coarse", n_fine=10, max_epochs=5, progress_bar=False)
    >>> fsc.tl.cut(adata, fixed={"T cell": 4})
    >>> fsc.tl.cut(adata, n_fine=8)
    >>> adata.obsm["falcon_proba"].shape
    (700, 8)
    """

    def make(about: Mapping[str, Any], classes: FineClasses) -> Decision:
        return cutting(about, classes, n_fine, fixed, names=CoarseNames.of(adata, key), key=key)

    return decide(adata, key, make, model, copy=copy)
