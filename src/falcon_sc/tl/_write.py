"""The one place where fine classes get their names and results reach `adata`."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from falcon_sc._checks import listed, obs_column
from falcon_sc._written import CLASSES, GENES, LEAF_SLOTS, MARKERS, is_kind
from falcon_sc.core.state.decisions import as_table
from falcon_sc.pl._style import fine_colors
from falcon_sc.tl._tree import tree_slots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from anndata import AnnData

    from falcon_sc.core.model import Falcon
    from falcon_sc.core.state.found import Found

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
    leaves
        The same cells in the leaves of the tree of splits, if there is one.
    """

    fine: np.ndarray
    proba: np.ndarray
    confidence: np.ndarray
    embedding: np.ndarray
    genes: np.ndarray | None
    params: dict[str, str | int | float | bool]
    leaves: Found | None = None


def write(adata: AnnData, key: str, model: Falcon, results: Results) -> None:
    """Write all slots, or none: whatever interrupts this restores what was there.

    Results of an earlier run under the same key, colors included, are replaced or removed.
    """
    slots = _slots(adata, key, model, results)
    put_all(adata, key, slots)
    _warn_of_single_cells(slots[0][2])  # afterwards: where warnings are errors, the labels are there


def put_all(
    adata: AnnData,
    key: str,
    slots: list[tuple[Any, str, Any]],
    then: Iterable[Callable[[], object]] = (),
    *,
    chosen: Mapping[str, str] | None = None,
) -> None:
    """Write slots and the colors that follow from them, and do what comes then; or write nothing.

    `chosen`: colors that classes of these names keep, unless another class has them now.
    """
    colors = f"{key}_fine_colors"
    slots = [*slots, *((adata.uns, name, _MISSING) for name in _markers(adata, key))]
    before = [(slot, name, slot.get(name, _MISSING)) for slot, name, _ in [*slots, (adata.uns, colors, None)]]
    try:
        _put(slots)
        by_name = _with_chosen(fine_colors(adata, key), chosen or {})
        adata.uns[colors] = [by_name[name] for name in obs_column(adata, f"{key}_fine", "key").cat.categories]
        for do in then:
            do()
    except BaseException:
        _put(before)
        raise


def _with_chosen(usual: dict[str, str], chosen: Mapping[str, str]) -> dict[str, str]:
    others = {color for name, color in usual.items() if name not in chosen}
    return usual | {name: color for name, color in chosen.items() if color not in others}


def _markers(adata: AnnData, key: str) -> list[str]:
    """Entries of ``adata.uns`` with markers of the classes under this key, which are others from now on."""
    found = [name for name, about in adata.uns.items() if is_kind(about, MARKERS)]
    stale = [name for name in found if adata.uns[name]["params"].get("groupby") == f"{key}_fine"]
    return [slot for name in stale for _, slot in MARKERS.under(name)]


def _slots(adata: AnnData, key: str, model: Falcon, results: Results) -> list[tuple[Any, str, Any]]:
    """Where each result goes."""
    names = model.fine_names_.astype(np.str_)
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
    if model.decisions_:
        about["decisions"] = as_table(model.decisions_)
    leaves: list[Any] = [_MISSING] * len(LEAF_SLOTS)
    if results.leaves is not None:
        about["tree"], *leaves = tree_slots(adata, model.classes_, results.leaves)
    fine = pd.Series(pd.Categorical.from_codes(results.fine, categories=names.tolist()), index=adata.obs_names)
    fine = fine.cat.remove_unused_categories()  # scanpy's plots fail at a category without a cell
    slots = [
        (adata.obs, f"{key}_fine", fine),
        (adata.obs, f"{key}_confidence", results.confidence),
        (adata.obsm, f"{key}_proba", results.proba),
        (adata.obsm, f"X_{key}", results.embedding),
        (adata.uns, key, about),
    ]
    of_before = is_kind(adata.uns.get(key), CLASSES)
    for (at, name), value in zip(LEAF_SLOTS, leaves, strict=True):
        if value is not _MISSING or of_before:
            slots.append((getattr(adata, at), name.format(key), value))
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
            del getattr(slot, "ds", slot)[
                name
            ]  # xarray's table, of anndata.experimental.read_lazy, deletes nothing itself
