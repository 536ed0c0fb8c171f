"""The genes that set a fine class apart from its siblings, from what scanpy keeps of its tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._written import MARKERS, is_kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData

_FALSE_DISCOVERIES = 0.05
_LOG2_FOLD_CHANGE = 1.0


def stored_markers(adata: AnnData, key: str) -> Mapping[str, Any] | None:
    """The result of `falcon_sc.tl.markers` for these classes against their siblings, if there is one."""
    for name, about in adata.uns.items():
        if is_kind(about, MARKERS) and about["params"].get("groupby") == f"{key}_fine":
            found: Mapping[str, Any] | None = adata.uns.get(f"{name}_siblings")
            return found
    return None


def is_tested(kept: Mapping[str, Any], name: str) -> bool:
    """Whether a class was compared with its siblings."""
    return name in (np.asarray(kept["names"]).dtype.names or ())


def markers_of(kept: Mapping[str, Any], name: str) -> list[str]:
    """The genes that mark a class against its siblings, best first: a fold change of 2 at 5 % false discoveries.

    Continuous values have no fold changes, and need none.
    """
    genes, fold, adjusted = (np.asarray(kept[part])[name] for part in ("names", "logfoldchanges", "pvals_adj"))
    fold = fold.astype(np.float64)
    good = (adjusted.astype(np.float64) <= _FALSE_DISCOVERIES) & ~(fold < _LOG2_FOLD_CHANGE)
    score = np.asarray(kept["scores"])[name].astype(np.float64)
    return [str(gene) for gene in genes[good & (score > 0)]]
