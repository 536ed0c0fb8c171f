"""Genes ranked by scanpy, as scanpy keeps them and as one table."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from falcon_sc._checks import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scipy import sparse

    from falcon_sc._gene_values import GeneValues
    from falcon_sc.pl._classes import Classes

_STATISTICS = {
    "names": "gene",
    "scores": "score",
    "logfoldchanges": "log2_fold_change",
    "pvals": "p_value",
    "pvals_adj": "p_adjusted",
}
_KEY = "rank_genes_groups"
_GROUP = "class"
_HERE = str(Path(__file__).parents[1])  # warnings name the line of the user that led here


@dataclass
class Ranked:
    """Results of `scanpy.tl.rank_genes_groups`, of one run or of several that are joined.

    Parameters
    ----------
    method, n_genes
        As there.
    columns
        Each statistic of each class, (n_genes,).
    shares
        Of each class, by gene: share of its cells with the gene, and of the others.
    """

    method: str
    n_genes: int | None
    columns: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    shares: dict[str, pd.DataFrame] = field(default_factory=dict)

    def add(self, matrix: sparse.csr_matrix, genes: pd.Index, labels: np.ndarray, classes: Sequence[str]) -> None:
        """Rank the genes of each of `classes` against the other cells; all others in `labels` are but that."""
        import scanpy as sc
        from anndata import AnnData

        obs = pd.DataFrame({_GROUP: pd.Categorical(labels)}, index=pd.RangeIndex(len(labels)).astype(str))
        cells = AnnData(matrix, obs=obs, var=pd.DataFrame(index=genes))
        with warnings.catch_warnings():
            # of genes without variance, of single cells among the others, and of negative means, which have no logarithm
            warnings.simplefilter("ignore", RuntimeWarning)
            sc.tl.rank_genes_groups(
                cells, _GROUP, groups=list(classes), n_genes=self.n_genes, method=self.method, pts=True, use_raw=False
            )
        found = cells.uns[_KEY]
        for name in classes:
            self.columns[name] = {statistic: np.asarray(found[statistic][name]) for statistic in _STATISTICS}
            self.shares[name] = pd.DataFrame({"share": found["pts"][name], "share_others": found["pts_rest"][name]})

    def forget(self, *columns: str) -> None:
        """What does not mean anything for these values."""
        for name in self.columns:
            for statistic, column in _STATISTICS.items():
                if column in columns:
                    self.columns[name][statistic] = np.full_like(self.columns[name][statistic], np.nan)
            self.shares[name] = self.shares[name].assign(**dict.fromkeys(set(columns) & set(self.shares[name]), np.nan))

    def as_scanpy_keeps_it(self, params: dict[str, Any]) -> dict[str, Any]:
        """What `scanpy.get.rank_genes_groups_df` and the plots of scanpy read.

        Without the shares: their column names are those of the classes, and a slash in one is a folder in a file.
        """
        kept: dict[str, Any] = {"params": params}
        for statistic in _STATISTICS:
            frame = pd.DataFrame({name: columns[statistic] for name, columns in self.columns.items()})
            kept[statistic] = frame.to_records(index=False)
        return kept

    def table(self, name: str) -> pd.DataFrame:
        """The genes of one class, best first."""
        columns = {title: self.columns[name][statistic] for statistic, title in _STATISTICS.items()}
        table = pd.DataFrame(columns).join(self.shares[name], on="gene")
        return table.assign(rank=np.arange(1, len(table) + 1))


def rank_classes(
    classes: Classes,
    values: GeneValues,
    names: pd.Index,
    *,
    method: str = "t-test",
    n_genes: int | None,
    against: Sequence[str] = ("siblings", "all"),
) -> dict[str, Ranked]:
    """The genes of all classes with two cells or more, against siblings and against all, or against one of these."""
    ranked = {others: Ranked(method, n_genes) for others in against}
    genes, known = names[values.genes], np.flatnonzero(classes.codes >= 0)
    present = classes.names[classes.sizes > 0]
    if present.size < 2:
        msg = f"there is one fine class only, {str(present[0])!r}: markers tell classes apart."
        raise ValueError(msg)
    alone = classes.names[classes.sizes == 1]
    if alone.size == present.size:
        msg = "every fine class has a single cell: nothing can be tested."
        raise ValueError(msg)
    if alone.size:
        msg = f"fine classes with a single cell have no markers, as nothing can be tested: {listed(alone)}."
        warnings.warn(msg, UserWarning, skip_file_prefixes=(_HERE,))
    parts = {"all": [(classes.names, known)], "siblings": []}
    for parent in dict.fromkeys(classes.parents):
        members = np.flatnonzero(classes.parents == parent)
        if (classes.sizes[members] > 0).sum() > 1:
            parts["siblings"].append((classes.names[members], np.flatnonzero(np.isin(classes.codes, members))))
    tested = set(classes.names[classes.sizes > 1])
    for others, found in ranked.items():
        for some, cells in parts[others]:
            chosen = [str(name) for name in some if name in tested]
            if chosen:
                found.add(values.matrix[cells], genes, classes.names[classes.codes[cells]], chosen)
        if values.continuous:
            found.forget("log2_fold_change", "share", "share_others")
    return ranked
