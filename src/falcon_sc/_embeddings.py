"""Embeddings of the cells as people keep them in ``adata.obsm``: arrays, sparse matrices or tables, in memory or on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from falcon_sc._checks import check_name, listed
from falcon_sc._kinds import too_large
from falcon_sc.core.data.columns import by_name, column_names
from falcon_sc.core.data.rows import LARGEST, check_unmasked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

COLUMNS = "columns_of_embedding"  # in the metadata of a model


def read_embedding(adata: AnnData, use_rep: str, columns: Sequence[str] | None = None) -> np.ndarray:
    """Read ``adata.obsm[use_rep]`` as float32, n_obs x n_dimensions; NaN and inf are refused.

    `columns`: those of a table, by these names.
    """
    return _values(by_name(_stored(adata, use_rep), columns, f"use_rep={use_rep!r}"), f"adata.obsm[{use_rep!r}]")


def read_named_embedding(adata: AnnData, use_rep: str) -> tuple[np.ndarray, list[str] | None]:
    """The same, and `embedding_columns`, from one reading of what is on disk."""
    stored = _stored(adata, use_rep)
    return _values(stored, f"adata.obsm[{use_rep!r}]"), column_names(stored)


def embedding_columns(adata: AnnData, use_rep: str) -> list[str] | None:
    """What the columns of a table are called; None of an array."""
    return column_names(_stored(adata, use_rep))


def _values(stored: Any, place: str) -> np.ndarray:
    check_unmasked(stored, place)
    array = stored.toarray() if sparse.issparse(stored) else np.asarray(stored)
    if array.dtype.kind in "cmM":  # numpy makes floats of these, too
        msg = f"{place} has dtype {array.dtype}: real numbers are needed."
        raise TypeError(msg)
    try:
        with np.errstate(over="ignore"):  # what becomes infinite is named below
            values = np.require(
                array, dtype=np.float32, requirements=["C", "W"]
            )  # torch warns of what it cannot write to
    except (TypeError, ValueError) as error:
        msg = (
            f"{place} holds something that is no number ({error}): keep its numeric columns, in another entry of obsm."
        )
        raise TypeError(msg) from error
    if values.ndim != 2 or values.shape[1] == 0:
        msg = f"{place} has shape {values.shape}: a matrix with a row of numbers for each cell is needed."
        raise ValueError(msg)
    if not np.isfinite(values).all():
        msg = f"{place} holds NaN or inf: remove or fill those values first."
        raise ValueError(msg)
    if (largest := float(max(values.max(), -values.min()))) > LARGEST:
        raise ValueError(too_large(place, largest))
    return values


def _stored(adata: AnnData, use_rep: str) -> Any:
    check_name(use_rep, "use_rep")
    if use_rep not in adata.obsm:
        msg = f"use_rep={use_rep!r} is not in adata.obsm, which has: {listed(adata.obsm)}. Compute it first."
        raise KeyError(msg)
    stored: Any = adata.obsm[use_rep]
    for read in ("to_memory", "compute"):  # a table or an array of dask, of anndata.experimental.read_lazy
        stored = getattr(stored, read)() if hasattr(stored, read) else stored
    return stored
