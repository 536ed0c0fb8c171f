"""The tree of splits between the core and `adata`: plain arrays in ``uns``, and the cells in its leaves."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from falcon_sc._checks import obs_column
from falcon_sc._on_disk.opening import is_on_disk
from falcon_sc.core.data.labels import listed
from falcon_sc.pl._splits import why_no_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from anndata import AnnData

    from falcon_sc.core.start.tree.forest import Tree
    from falcon_sc.core.state.decisions import FineClasses
    from falcon_sc.core.state.found import Found

MITOCHONDRIA = "pct_counts_mt"  # where sc.pp.calculate_qc_metrics(adata, qc_vars=["mt"]) puts it


def tree_slots(adata: AnnData, classes: FineClasses, found: Found) -> tuple[dict[str, Any], pd.Series, np.ndarray, Any]:
    """What is written of a tree: its arrays, and of each cell the leaf, the agreement and the probabilities of the leaves."""
    assert found.tree is not None
    assert classes.leaves is not None
    leaves = pd.Categorical.from_codes(found.labels, categories=pd.Index(classes.leaves[0], dtype=object))
    leaf = pd.Series(leaves, index=adata.obs_names)
    return (
        tree_arrays(found.tree, classes) | {"mitochondria": _mitochondria(adata, found)},
        leaf,
        np.asarray(found.agreement),
        found.proba,
    )


def tree_arrays(tree: Tree, classes: FineClasses) -> dict[str, Any]:
    """The arrays of a tree under these classes; ``class_at_fit`` is what the leaves were in when they were found."""
    assert classes.leaves is not None
    arrays = {field.name: np.asarray(getattr(tree, field.name)) for field in fields(tree)}
    names = np.array(classes.leaves[0], dtype=np.str_)
    return arrays | {"class_of_leaf": classes.members, "class_at_fit": tree.class_of_leaf, "leaf_names": names}


def read_tree(about: Mapping[str, Any], key: str) -> Tree:
    """The tree of a result, with the fine classes of the fit.

    Raises
    ------
    ValueError
        If there is none.
    """
    from falcon_sc.core.start.tree.forest import Tree

    table = about.get("tree")
    if table is None:
        raise ValueError(why_no_tree(about, key))
    _check_whole(table, ("class_at_fit", *(field.name for field in fields(Tree))), key)
    arrays = {field.name: np.asarray(table[field.name]) for field in fields(Tree)}
    return Tree(**arrays | {"class_of_leaf": np.asarray(table["class_at_fit"])})


def _check_whole(table: Mapping[str, Any], names: Iterable[str], key: str) -> None:
    if missing := [name for name in names if name not in table]:
        msg = (
            f"adata.uns[{key!r}]['tree'] lacks {listed(missing)}: run falcon_sc.tl.discover again (anndata.concat drops what "
            f"differs between the parts), or go on without the tree: adata.uns[{key!r}].pop('tree')."
        )
        raise ValueError(msg)


def has_leaves(adata: AnnData, key: str) -> bool:
    """Whether the cells still say in which leaves of the tree they are."""
    return f"{key}_leaf_proba" in adata.obsm and {f"{key}_leaf", f"{key}_agreement"} <= set(adata.obs)


def read_found(adata: AnnData, about: Mapping[str, Any], key: str) -> Found:
    """The cells in the leaves of the tree.

    Raises
    ------
    KeyError, ValueError
        If something of it is gone, or of another result.
    """
    from falcon_sc.core.state.found import Found

    tree = read_tree(about, key)
    proba_name, leaf_name, agreement_name = f"{key}_leaf_proba", f"{key}_leaf", f"{key}_agreement"
    if not has_leaves(adata, key):
        msg = (
            f"adata.obsm[{proba_name!r}], adata.obs[{leaf_name!r}] or adata.obs[{agreement_name!r}] is missing: without "
            "them the classes cannot be cut otherwise. Run falcon_sc.tl.discover again."
        )
        raise KeyError(msg)
    proba: Any = adata.obsm[proba_name]
    to_matrix = sparse.csr_matrix if sparse.issparse(proba) else np.asarray
    proba = to_matrix(proba, dtype=np.float32)  # anndata.concat makes float64 of it where it fills in rows
    names = [str(name) for name in about["tree"]["leaf_names"]]
    column = obs_column(adata, leaf_name, "key")
    leaf = pd.Index(names).get_indexer(pd.Index(column.astype(object)))
    unknown = column.notna().to_numpy() & (leaf < 0)
    if proba.shape != (adata.n_obs, tree.n_leaves) or unknown.any():
        msg = f"adata.obsm[{proba_name!r}] or adata.obs[{leaf_name!r}] is of another result. Run falcon_sc.tl.discover again."
        raise ValueError(msg)
    agreement = obs_column(adata, agreement_name, "key").to_numpy(np.float32, na_value=np.nan)
    return Found(proba, leaf.astype(np.int64), agreement, tree)


def read_leaves(about: Mapping[str, Any], key: str) -> FineClasses:
    """The fine classes of a result as they are; their members are leaves, where there is a tree.

    Raises
    ------
    ValueError
        If there is half a tree.
    """
    from falcon_sc.core.state.decisions import FineClasses

    classes = FineClasses.of(about["fine_names"], np.asarray(about["M"]))
    table = about.get("tree")
    if table is None:
        return classes
    _check_whole(table, ("leaf_coarse", "leaf_names", "class_of_leaf"), key)
    leaf_coarse = np.asarray(table["leaf_coarse"])
    relation = np.eye(classes.relation.shape[1], dtype=np.uint8)[leaf_coarse]
    leaves = tuple(str(name) for name in table["leaf_names"]), relation
    return FineClasses(classes.names, classes.relation, np.asarray(table["class_of_leaf"]), leaves)


def _mitochondria(adata: AnnData, found: Found) -> np.ndarray:
    """Share of each split that the mitochondrial share of the counts explains; NaN where it is not known."""
    from falcon_sc.core.start.tree.technical import explained_by_number

    tree = found.tree
    assert tree is not None
    share = _mitochondrial_share(adata)
    if share is None:
        return np.full(len(tree.left), np.nan)
    under = tree.under()
    return explained_by_number(found.labels, under[tree.left], under[tree.right], share)


def _mitochondrial_share(adata: AnnData) -> np.ndarray | None:
    """Of each cell: the quality metric of scanpy, or of the mitochondrial genes in a matrix in memory that has no negative values."""
    if MITOCHONDRIA in adata.obs:
        return np.asarray(obs_column(adata, MITOCHONDRIA, "adata.obs").to_numpy(np.float64, na_value=np.nan))
    genes = np.flatnonzero(adata.var_names.astype(str).str.upper().str.startswith("MT-"))
    if not len(genes) or adata.X is None or is_on_disk(adata.X):
        return None
    matrix: Any = adata.X
    if matrix.min() < 0:  # z-scores, residuals: nothing that adds up
        return None
    total = np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()
    of_genes = np.asarray(matrix[:, genes].sum(axis=1), dtype=np.float64).ravel()
    return np.asarray(np.divide(of_genes, total, out=np.full(adata.n_obs, np.nan), where=total > 0))
