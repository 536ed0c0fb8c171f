"""The genes of a model in new data, and what stands in for those that are not there."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from scipy import sparse

from falcon_sc._checks import check_unique_genes, listed

if TYPE_CHECKING:
    from anndata import AnnData

    from falcon_sc.core.model import Falcon

MissingGenes = Literal["error", "fill"]

_MOST_FILLED = 0.2  # share of the genes of a model, as far as was measured: docs/when_it_fails.md


def match_genes(
    adata: AnnData, use_rep: str | None, model: Falcon, missing_genes: MissingGenes = "error"
) -> np.ndarray | None:
    """Position in `adata` of each gene of the model, -1 where it is to be filled; None for a model of an embedding."""
    names = model.feature_names_in_
    if missing_genes not in ("error", "fill"):
        msg = f"missing_genes must be 'error' or 'fill', found {missing_genes!r}."
        raise ValueError(msg)
    if names is None:
        if use_rep is None:
            trained_on = model.metadata.get("use_rep")
            msg = f"the model was trained on an embedding ({trained_on!r}), not on genes: give use_rep=..."
            raise ValueError(msg)
        return None
    if use_rep is not None:
        msg = f"use_rep={use_rep!r} was given, but the model was trained on genes: leave it out."
        raise ValueError(msg)
    check_unique_genes(adata)
    position = adata.var_names.get_indexer(pd.Index(names))
    missing = names[position < 0]
    if missing.size:
        _refuse_or_warn(missing, names.size, missing_genes, model)
    return position


def _refuse_or_warn(missing: np.ndarray, n_genes: int, missing_genes: MissingGenes, model: Falcon) -> None:
    found = f"{missing.size} of the {n_genes} genes of the model ({missing.size / n_genes:.1%}) are not in adata.var_names"
    if missing_genes == "error":
        msg = (
            f"{found}: {listed(missing)}. Use the same gene names (symbols or identifiers) as in training. "
            f"Up to {_MOST_FILLED:.0%} of them can be filled with missing_genes='fill'."
        )
        raise ValueError(msg)
    if missing.size > _MOST_FILLED * n_genes:
        msg = (
            f"{found}: {listed(missing)}. missing_genes='fill' fills up to {_MOST_FILLED:.0%}: beyond that labels are "
            "lost. Use the same gene names (symbols or identifiers) as in training, or train on the genes in common."
        )
        raise ValueError(msg)
    if "training_values" not in model.metadata:
        msg = f"{found}, and the model was fitted on arrays, without the means that missing_genes='fill' needs."
        raise ValueError(msg)
    msg = f"{found}: filled with their mean over the training cells. They are {listed(missing)}."
    warnings.warn(msg, UserWarning, stacklevel=4)


def filled(
    features: np.ndarray | sparse.csr_matrix, position: np.ndarray, means: np.ndarray
) -> np.ndarray | sparse.csr_matrix:
    """Columns of all genes of the model: `features` where they are there (`position` >= 0), else the mean in training."""
    there = position >= 0
    order = np.argsort(np.concatenate([np.flatnonzero(there), np.flatnonzero(~there)]))
    means_only = np.tile(means[~there].astype(np.float32), (features.shape[0], 1))
    if not sparse.issparse(features):
        return np.hstack([features, means_only])[:, order]
    return sparse.hstack([features, sparse.csr_matrix(means_only)], format="csr")[:, order]
