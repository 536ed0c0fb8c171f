"""The one place where fine classes get their names and results reach `adata`."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from falcon_sc._checks import listed
from falcon_sc._written import CLASSES, GENES, is_kind

if TYPE_CHECKING:
    from anndata import AnnData

    from falcon_sc.core.model import Falcon

_MISSING = object()
_HERE = str(Path(__file__).parents[1])  # warnings name the line of the user that led here


@dataclass(frozen=True)
class Results:
    """What `discover` and `predict` found for all cells of an object.

    Parameters
    ----------
    fine
        int64, n_obs: fine class, -1 where there is none.
    proba
        float32, n_obs x n_fine.
    confidence
        float32, n_obs, NaN where there is no fine class.
    embedding
        float32, n_obs x n_hidden.
    genes
        bool, n_vars: the genes used; None for an embedding.
    params
        Plain scalars.
    """

    fine: np.ndarray
    proba: np.ndarray
    confidence: np.ndarray
    embedding: np.ndarray
    genes: np.ndarray | None
    params: dict[str, str | int | float | bool]


def fine_names(relation: np.ndarray, coarse_names: np.ndarray, coarse_dataset: np.ndarray) -> np.ndarray:
    """``"<coarse>:<i>"``, with the parents of all data sets joined by ``|``.

    Parameters
    ----------
    relation
        M, n_fine x n_coarse, 0 or 1; fine classes of one parent in the order of their numbers.
    coarse_names
        Coarse label of each column.
    coarse_dataset
        Data set of each column.

    Returns
    -------
    str, n_fine, all different.
    """
    blocks = [np.flatnonzero(coarse_dataset == name) for name in dict.fromkeys(coarse_dataset.tolist())]
    next_number: Counter[str] = Counter()
    names = []
    for row in relation:
        parents = [str(coarse_names[column]) for block in blocks for column in block[row[block] == 1]]
        parent = "|".join(dict.fromkeys(parents))  # data sets that agree on the name give it once
        names.append(f"{parent}:{next_number[parent]}")
        next_number[parent] += 1
    return np.array(names, dtype=np.str_)


def write(adata: AnnData, key: str, model: Falcon, results: Results) -> None:
    """Write all slots, or none: whatever interrupts this restores what was there.

    Results of an earlier run under the same key, colors included, are replaced or removed.
    """
    slots = _slots(adata, key, model, results)
    before = [(slot, name, slot.get(name, _MISSING)) for slot, name, _ in slots]
    try:
        _put(slots)
    except BaseException:
        _put(before)
        raise
    _warn_of_single_cells(slots[0][2])  # afterwards: where warnings are errors, the labels are there


def _slots(adata: AnnData, key: str, model: Falcon, results: Results) -> list[tuple[Any, str, Any]]:
    """Where each result goes."""
    names = fine_names(model.relation_, model.coarse_names_, model.coarse_dataset_)
    several = np.unique(model.coarse_dataset_).size > 1
    about: dict[str, Any] = {
        "M": model.relation_,
        "fine_names": names,
        "coarse_names": model.coarse_names_.astype(np.str_),
        "params": results.params,
        "history": dict(model.history_),
    }
    if several:
        about["coarse_dataset"] = model.coarse_dataset_.astype(np.str_)
    fine = pd.Series(pd.Categorical.from_codes(results.fine.tolist(), categories=names.tolist()), index=adata.obs_names)
    fine = fine.cat.remove_unused_categories()  # scanpy's plots fail at a category without a cell
    slots = [
        (adata.obs, f"{key}_fine", fine),
        (adata.obs, f"{key}_confidence", results.confidence),
        (adata.obsm, f"{key}_proba", results.proba),
        (adata.obsm, f"X_{key}", results.embedding),
        (adata.uns, key, about),
        (adata.uns, f"{key}_fine_colors", _MISSING),
    ]
    mark = f"{key}_highly_variable"
    selected = is_kind(adata.uns.get(mark), GENES)  # by `select_genes`, which notes that in uns
    if results.genes is not None:
        slots.append((adata.var, mark, results.genes))
        if selected:
            slots.append((adata.uns, mark, _MISSING))
    elif is_kind(adata.uns.get(key), CLASSES) and not selected:
        slots.append((adata.var, mark, _MISSING))  # of an earlier run on genes
    return slots


def _warn_of_single_cells(fine: pd.Series) -> None:
    """Say which classes scanpy's tests for markers stop at."""
    sizes = fine.value_counts(sort=False)
    single = sizes.index[sizes == 1]
    if len(single) and len(sizes) > 1:  # of one cell or one class there is nothing to test
        msg = (
            f"fine classes with a single cell: {listed(single)}. sc.tl.rank_genes_groups stops at them: give it "
            "groups=[...] without them, or merge them with another class first."
        )
        warnings.warn(msg, UserWarning, skip_file_prefixes=(_HERE,))


def _put(slots: list[tuple[Any, str, Any]]) -> None:
    for slot, name, value in slots:
        if value is not _MISSING:
            slot[name] = value
        elif name in slot:
            del slot[name]
