"""The genes of a model in new data, and what stands in for those that are not there."""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy import sparse

from falcon_sc._checks import check_unique_genes, listed
from falcon_sc.core.data.rows import changed
from falcon_sc.tl._training_values import TrainingValues

if TYPE_CHECKING:
    from anndata import AnnData

    from falcon_sc.core.model import Falcon

    type Features = np.ndarray | sparse.csr_matrix

MissingGenes = Literal["error", "fill"]

_MOST_FILLED = 0.1  # of the variance of the training cells, measured: docs/benchmarks.md


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
    if (position < 0).any():
        _refuse_or_warn(names, position < 0, missing_genes, model)
    return position


def _refuse_or_warn(names: np.ndarray, missing: np.ndarray, missing_genes: MissingGenes, model: Falcon) -> None:
    """Genes are missing: an error, or, where they are to be filled and are not too many, a warning."""
    problem = (
        f"{missing.sum()} of the {names.size} genes of the model ({missing.mean():.1%}) are not in adata.var_names"
    )
    same_names = "Use the same gene names (symbols or identifiers) as in training"
    if missing_genes == "error":
        msg = f"{problem}: {listed(names[missing])}. {same_names}, or fill a few of them with missing_genes='fill'."
        raise ValueError(msg)
    trained = TrainingValues.of_model(model)
    if trained is None:
        msg = f"{problem}, and the model was fitted on arrays, without the means that missing_genes='fill' needs."
        raise ValueError(msg)
    share = float(trained.variances[missing].sum() / trained.variances.sum())
    problem = f"{problem}; they held {share:.1%} of the variance of the training cells"
    if share > _MOST_FILLED:
        msg = (
            f"{problem}: {listed(names[missing])}. missing_genes='fill' stops at {_MOST_FILLED:.0%}, beyond which too many "
            f"labels change. {same_names}, or train a model on the genes in common."
        )
        raise ValueError(msg)
    msg = f"{problem} and were filled with their mean there: {listed(names[missing])}."
    warnings.warn(msg, UserWarning, stacklevel=4)


def filled(features: Any, position: np.ndarray, model: Falcon) -> Any:
    """Columns of all genes of the model: `features` where they are there (`position` >= 0), else the mean in training."""
    trained = TrainingValues.of_model(model)
    if (position >= 0).all() or trained is None:
        return features
    return changed(features, partial(in_place, position=position, fill=trained.means), len(position))


def in_place(features: Features, position: np.ndarray, fill: np.ndarray) -> Features:
    """`features` (n_obs x genes that are there) with a column of `fill` (n_genes) for each gene with a negative `position`."""
    there = position >= 0
    order = np.argsort(np.concatenate([np.flatnonzero(there), np.flatnonzero(~there)]))
    constant = np.tile(fill[~there].astype(np.float32), (features.shape[0], 1))
    if isinstance(features, np.ndarray):
        return np.hstack([features, constant])[:, order]
    return sparse.hstack([features, sparse.csr_matrix(constant)], format="csr")[:, order]
