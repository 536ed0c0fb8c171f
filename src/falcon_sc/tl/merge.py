"""Fine classes that are one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from falcon_sc.core.state.decisions import merging
from falcon_sc.tl._decide import decide

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from anndata import AnnData

    from falcon_sc.core.model import Falcon


def merge(
    adata: AnnData,
    names: Iterable[str],
    new_name: str | None = None,
    *,
    key: str = "falcon",
    model: Falcon | str | Path | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Make one fine class of several in one coarse class, in the object and in its model.

    The probability of the new class is the sum of theirs, as the paper sums those of fine classes to that of their
    coarse class; no other cell changes its class. `M`, names and colors follow, and so does the saved model, so that
    :func:`falcon_sc.tl.predict` gives the new class. It cannot be undone: keep a copy, or run `discover` again.

    Parameters
    ----------
    adata
        Annotated data, after :func:`falcon_sc.tl.discover` or :func:`falcon_sc.tl.predict`.
    names
        The fine classes, at least two, all in one coarse class.
    new_name
        What to call the new class; by default like the first of `names`.
    key
        `key_added` of the result.
    model
        The model of these classes, to be changed as well: a :class:`falcon_sc.Falcon`, or the folder of a saved one. The
        folder that ``discover(..., save_model=...)`` wrote is known and changed without it; where it is gone or holds
        another model, that is a warning. A model that lacks earlier decisions of `adata` gets these, too;
        given here, it gets them in the place of those about another copy, unless one of these is a refinement.
    copy
        Work on a copy and return it. The saved model then stays as it is and belongs to `adata`, unless it is given as `model`;
        a folder that is given there is the saved model of the copy.

    Returns
    -------
    None if ``copy=False``, else the copy. Changes these fields (for ``key="falcon"``):

    ``adata.obs["falcon_fine"]`` : category
        The cells of `names` are in the new class, which stands where the first of them stood.
    ``adata.obs["falcon_confidence"]`` : float32
        Of these cells: what their confidence left open goes to the other merged classes as the network shares it out.
    ``adata.obsm["falcon_proba"]`` : float32, n_obs x n_fine
        One column for the new class, the sum of theirs.
    ``adata.uns["falcon"]`` : dict
        ``M`` and ``fine_names``; and ``decisions``, the history of merges and renames: 1-d arrays ``step``, ``kind``,
        ``old`` and ``new``, for ``pd.DataFrame(adata.uns["falcon"]["decisions"])``.
    ``adata.uns["falcon_fine_colors"]`` : list of str
        A color for each category.

    Raises
    ------
    KeyError
        Nothing was discovered under `key`.
    TypeError
        `names` is no list, `new_name` no text, or `model` no model.
    ValueError
        `names` holds fewer than two classes, something else, or classes of several coarse classes; `new_name` is another
        class, or would be read as a missing label; ``obs`` has classes that ``uns`` does not know; `model` is not the
        one of these classes, or has been refined otherwise. Nothing is changed then.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> adata = fsc.datasets.pbmc68k_reduced()
    >>> fsc.tl.discover(adata, coarse_key="coarse", n_fine=10, max_epochs=5, progress_bar=False)
    >>> first, second = [name for name in adata.uns["falcon"]["fine_names"] if name.startswith("T cell:")][:2]
    >>> fsc.tl.merge(adata, [first, second], "T helper")
    >>> adata.obsm["falcon_proba"].shape
    (700, 9)
    """
    return decide(adata, key, lambda _, classes: merging(classes, names, new_name), model, copy=copy)
