"""What of an object changes when one coarse class is refined, and what stays bit for bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from falcon_sc._checks import obs_column
from falcon_sc.core.state.decisions import Decision, FineClasses, as_table, from_table
from falcon_sc.tl._decide import fine_slot, warn_of_lost
from falcon_sc.tl._tree import tree_slots

if TYPE_CHECKING:
    from anndata import AnnData

    from falcon_sc.core.fitting.refine import Refined
    from falcon_sc.core.state.found import Found


def refined_slots(
    adata: AnnData,
    key: str,
    column: int,
    result: Refined,
    *,
    features: Any,
    found: Found,
    classes: FineClasses,
    codes: np.ndarray,
) -> tuple[Decision, list[tuple[Any, str, Any]]]:
    """The decision, and all slots with their new values.

    Parameters
    ----------
    column, result
        The coarse class, and what was found there.
    features
        What the network reads of all cells.
    found, classes, codes
        The cells in the leaves as they were, the fine classes as they were, and the one of each cell, -1 for none.
    """
    decision = _decision(result, classes, column)
    after = _classes_after(result, classes, column, decision)
    now = _found_after(result, found, column, features)
    tree, leaf, agreement, by_leaf = tree_slots(adata, after, now)
    about = dict(adata.uns[key])
    if "mitochondria" in about["tree"]:  # of the cells that are there now; elsewhere it stays as it is
        before, elsewhere = about["tree"], tree["coarse"] != column
        tree["mitochondria"][elsewhere] = np.asarray(before["mitochondria"])[np.asarray(before["coarse"]) != column]
    earlier = from_table(about["decisions"]) if "decisions" in about else ()
    about |= {"M": after.relation, "fine_names": np.array(after.names, dtype=np.str_), "tree": tree}
    about["decisions"] = as_table((*earlier, decision))
    is_own = cells_of(found, column)
    return decision, [
        *_of_classes(adata, key, now, after, classes=classes, codes=codes, is_own=is_own, column=column),
        (adata.obs, f"{key}_leaf", leaf),
        (adata.obs, f"{key}_agreement", agreement),
        (adata.obsm, f"{key}_leaf_proba", by_leaf),
        (adata.uns, key, about),
    ]


def cells_of(found: Found, column: int) -> np.ndarray:
    """Which cells are in a coarse class."""
    assert found.tree is not None
    return np.asarray((found.labels >= 0) & (found.tree.leaf_coarse[found.labels] == column))


def _decision(result: Refined, classes: FineClasses, column: int) -> Decision:
    """The class of each new leaf; a name that a class elsewhere has is not given again."""
    assert result.classes.leaves is not None
    taken = {name for name, row in zip(classes.names, classes.relation, strict=True) if not row[column]}
    new = {}
    for name in result.classes.names:
        free = name
        while free in taken:
            free += "'"
        taken.add(free)
        new[name] = free
    leaves = zip(result.classes.leaves[0], result.classes.class_of_leaf, strict=True)
    return Decision("refine", {leaf: new[own] for leaf, own in leaves})


def _classes_after(result: Refined, classes: FineClasses, column: int, decision: Decision) -> FineClasses:
    assert classes.leaves is not None
    assert result.classes.leaves is not None
    leaves, relation = classes.leaves
    begin, end = _places(relation[:, column] == 1)
    own = np.zeros((len(decision.names), relation.shape[1]), dtype=relation.dtype)
    own[:, column] = 1
    names = (*leaves[:begin], *result.classes.leaves[0], *leaves[end:])
    now = classes.class_of_leaf
    new = [*now[:begin], *decision.names.values(), *now[end:]]
    return FineClasses.by_leaf((names, np.concatenate([relation[:begin], own, relation[end:]])), new)


def _found_after(result: Refined, found: Found, column: int, features: Any) -> Found:
    """The cells in the leaves that there are now."""
    from falcon_sc.core.state.found import Found

    assert found.tree is not None
    cells = np.flatnonzero(cells_of(found, column))
    begin, end = _places(found.tree.leaf_coarse == column)
    n_own = result.proba.shape[1]
    unlabeled = np.flatnonzero(found.labels < 0)
    new = result.proba
    if len(unlabeled):
        mass = sparse.csr_matrix(found.proba[unlabeled])[:, begin:end].sum(axis=1)
        new = np.concatenate([new, np.asarray(mass) * result.refinement.proba(features[unlabeled])])
    block = _rows_at(np.concatenate([cells, unlabeled]), new.astype(np.float32), len(found.labels))
    if sparse.issparse(found.proba):
        proba = sparse.hstack([found.proba[:, :begin], block, found.proba[:, end:]], format="csr", dtype=np.float32)
    else:
        proba = np.hstack([found.proba[:, :begin], block.toarray(), found.proba[:, end:]])
    labels = np.where(found.labels >= end, found.labels + n_own - (end - begin), found.labels)
    labels[cells] = begin + result.proba.argmax(axis=1)
    assert found.agreement is not None
    agreement = found.agreement.copy()
    agreement[cells] = result.agreement
    return Found(proba, labels, agreement, found.tree.with_class(column, result.tree))


def _rows_at(places: np.ndarray, rows: np.ndarray, n: int) -> sparse.csr_matrix:
    """A matrix with n rows, of which these are at `places`, and all others empty."""
    n_columns, order = rows.shape[1], np.argsort(places)
    lengths = np.zeros(n + 1, dtype=np.int64)
    lengths[places + 1] = n_columns
    columns = np.tile(np.arange(n_columns), len(places))
    return sparse.csr_matrix((rows[order].ravel(), columns, np.cumsum(lengths)), shape=(n, n_columns))


def _of_classes(
    adata: AnnData,
    key: str,
    now: Found,
    after: FineClasses,
    *,
    classes: FineClasses,
    codes: np.ndarray,
    is_own: np.ndarray,
    column: int,
) -> list[tuple[Any, str, Any]]:
    """Class, confidence and probabilities: a cell of another class keeps what it has, and one without a class has none.

    It is the class of now that counts: a cell may have been put there by hand.
    """
    seen = now.through(after)
    elsewhere = np.flatnonzero(classes.relation[:, column] == 0)
    place = np.full(len(classes.names) + 1, -1)
    place[elsewhere] = [after.names.index(classes.names[own]) for own in elsewhere]
    kept = place[codes] >= 0
    labels = np.where(kept, place[codes], seen.labels)
    labels[codes < 0] = -1
    warn_of_lost((codes >= 0) & ~kept & ~is_own)
    confidence, proba = seen.confidence.copy(), seen.proba.copy()
    if f"{key}_confidence" in adata.obs:
        before = obs_column(adata, f"{key}_confidence", "key").to_numpy(np.float32, na_value=np.nan)
        confidence[kept] = before[kept]
    confidence[codes < 0] = np.nan
    old = np.asarray(adata.obsm.get(f"{key}_proba", ()))
    if old.shape == (adata.n_obs, len(classes.names)):
        others = np.flatnonzero(~is_own & (now.labels >= 0))
        proba[np.ix_(others, place[elsewhere])] = old[np.ix_(others, elsewhere)]
    return [
        fine_slot(adata, key, after.names, labels, after.names),
        (adata.obs, f"{key}_confidence", confidence),
        (adata.obsm, f"{key}_proba", proba),
    ]


def _places(own: np.ndarray) -> tuple[int, int]:
    """Begin and end of the leaves of one coarse class, which stand together."""
    places = np.flatnonzero(own)
    return int(places[0]), int(places[-1]) + 1
