"""Genes that mark each fine class."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Literal

import pandas as pd

from falcon_sc._checks import check_adata, check_int, check_unique_genes
from falcon_sc._gene_values import read_gene_values
from falcon_sc._log import show_log
from falcon_sc._written import MARKERS, check_free
from falcon_sc.pl._classes import read_about, read_classes
from falcon_sc.tl._ranked import rank_classes

if TYPE_CHECKING:
    from anndata import AnnData

    from falcon_sc._kinds import Values
    from falcon_sc.pl._classes import Classes
    from falcon_sc.tl._ranked import Ranked

    type Method = Literal["t-test", "wilcoxon", "t-test_overestim_var"]

_METHODS = ("t-test", "wilcoxon", "t-test_overestim_var")
_COLUMNS = [
    "coarse", "fine", "against", "rank", "gene", "score", "log2_fold_change", "share", "share_others", "p_value", "p_adjusted",
]  # fmt: skip


def markers(
    adata: AnnData,
    *,
    key: str = "falcon",
    layer: str | None = None,
    values: Values | None = None,
    method: Method = "t-test",
    n_genes: int | None = 100,
    key_added: str | None = None,
) -> pd.DataFrame:
    """Rank the genes of every fine class against its siblings and against all other cells, with scanpy.

    Against all, the genes of the coarse class come first; what tells a fine class from the others in its coarse class
    shows against its siblings. A coarse class with one fine class has no siblings, and no rows for them. The genes are
    tested in the cells in which the classes were found, and cells of one donor are not independent: read p-values as an
    order.

    Parameters
    ----------
    adata
        Annotated data, after :func:`falcon_sc.tl.discover` or :func:`falcon_sc.tl.predict`. Classes go by the names that
        the cells have now.
    key
        `key_added` of the result.
    layer
        Layer to read instead of ``adata.X``: raw counts or log-normalized values.
    values
        What the matrix holds, where what is recognized is wrong, see :func:`falcon_sc.tl.discover`. What was said
        there about the same matrix holds here.
    method
        ``"t-test"`` (Welch's, scanpy's default), ``"wilcoxon"``, which takes longer, or ``"t-test_overestim_var"``.
    n_genes
        Genes kept for each comparison, those with the highest scores; `None` for all.
    key_added
        Where scanpy's results are written; by default ``"falcon_markers"`` for ``key="falcon"``.

    Returns
    -------
    One row for each class, comparison and gene, with the columns:

    ``coarse``, ``fine`` : str
        The class.
    ``against`` : str
        ``"siblings"`` or ``"all"``.
    ``rank``, ``gene`` : int, str
        1 is the best.
    ``score``, ``p_value``, ``p_adjusted`` : float
        Statistic of the test, its p-value, and that after Benjamini and Hochberg.
    ``log2_fold_change`` : float
        Of the mean expression; missing for continuous values.
    ``share``, ``share_others`` : float, in [0, 1]
        Cells of the class, and of those it is compared with, in which the gene was found; missing for continuous values.

    What scanpy writes is in ``adata.uns["falcon_markers"]`` (against all) and ``adata.uns["falcon_markers_siblings"]``,
    for ``sc.get.rank_genes_groups_df(adata, None, key=...)`` and ``sc.pl.rank_genes_groups_dotplot(adata, key=...)``. A
    later merge, rename or run removes it.

    Raises
    ------
    KeyError
        Nothing was discovered under `key`, or `layer` is missing.
    TypeError
        `adata` is no AnnData, or `key` no name.
    ValueError
        There is one fine class only; `key_added` is taken by something else; two genes have one name; wrong values in
        the matrix; an unknown `method`.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> adata = fsc.datasets.pbmc68k_reduced()
    >>> fsc.tl.discover(adata, coarse_key="coarse", n_fine=10, max_epochs=5, progress_bar=False)
    >>> table = fsc.tl.markers(adata, n_genes=5)
    >>> table.loc[table["against"] == "siblings", "fine"].str.startswith("T cell:").any()
    np.True_
    """
    show_log()
    check_adata(adata, copy=False)
    check_unique_genes(adata)
    if method not in _METHODS:
        msg = f"method must be one of {', '.join(map(repr, _METHODS))}, found {method!r}."
        raise ValueError(msg)
    n_genes = None if n_genes is None else check_int(n_genes, "n_genes")
    classes = read_classes(adata, key)
    key_added = f"{key}_markers" if key_added is None else key_added
    check_free(adata, key_added, MARKERS)
    found = read_gene_values(adata, read_about(adata, key), layer, values)
    ranked = rank_classes(classes, found, adata.var_names, method=method, n_genes=n_genes)
    params = {
        "groupby": f"{key}_fine", "reference": "rest", "method": method, "use_raw": False, "layer": layer,
        "corr_method": "benjamini-hochberg",
    }  # fmt: skip
    adata.uns[key_added] = ranked["all"].as_scanpy_keeps_it(params | {"falcon_sc": version("falcon-sc")})
    adata.uns.pop(f"{key_added}_siblings", None)
    if ranked["siblings"].columns:
        adata.uns[f"{key_added}_siblings"] = ranked["siblings"].as_scanpy_keeps_it(params)
    return _table(classes, ranked)


def _table(classes: Classes, ranked: dict[str, Ranked]) -> pd.DataFrame:
    parts = [
        found.table(name).assign(coarse=parent, fine=name, against=against)
        for name, parent in zip(classes.names, classes.parents, strict=True)
        for against, found in ranked.items()
        if name in found.columns
    ]
    return pd.concat(parts, ignore_index=True)[_COLUMNS]
