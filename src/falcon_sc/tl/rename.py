"""Names for fine classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from falcon_sc.core.state.decisions import renaming
from falcon_sc.tl._decide import decide

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from anndata import AnnData

    from falcon_sc.core.model import Falcon


def rename(
    adata: AnnData,
    names: Mapping[str, str],
    *,
    key: str = "falcon",
    model: Falcon | str | Path | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Call fine classes otherwise, in the object and in its model.

    A class keeps its place, its color and its coarse class, whatever its name. Names may be exchanged:
    ``{"T:0": "T:1", "T:1": "T:0"}``.

    Parameters
    ----------
    adata
        Annotated data, after :func:`falcon_sc.tl.discover` or :func:`falcon_sc.tl.predict`.
    names
        New name of each class that gets one, ``{old: new}``; blanks around it are dropped.
    key
        `key_added` of the result.
    model
        The model of these classes, to be changed as well; see :func:`falcon_sc.tl.merge`.
    copy
        Work on a copy and return it. The saved model then stays as it is and belongs to `adata`, unless it is given as `model`;
        a folder that is given there is the saved model of the copy.

    Returns
    -------
    None if ``copy=False``, else the copy. Changes these fields (for ``key="falcon"``):

    ``adata.obs["falcon_fine"]`` : category
        The new names.
    ``adata.uns["falcon"]`` : dict
        ``fine_names``, and ``decisions``, the history of merges and renames; see :func:`falcon_sc.tl.merge`.
    ``adata.uns["falcon_fine_colors"]`` : list of str
        A color for each category.

    Raises
    ------
    KeyError
        Nothing was discovered under `key`.
    TypeError
        `names` is no mapping, a new name no text, or `model` no model.
    ValueError
        `names` holds something that is no fine class, or two classes would be called the same; a name would be read as
        a missing label; ``obs`` has classes that ``uns`` does not know; `model` is not the one of these classes, or has
        been refined otherwise. Nothing is changed then.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> adata = fsc.datasets.pbmc68k_reduced()
    >>> fsc.tl.discover(adata, coarse_key="coarse", n_fine=10, max_epochs=5, progress_bar=False)
    >>> fsc.tl.rename(adata, {"T cell:0": "naive T"})
    >>> "naive T" in adata.obs["falcon_fine"].cat.categories
    True
    """
    return decide(adata, key, lambda _, classes: renaming(classes, names), model, copy=copy)
