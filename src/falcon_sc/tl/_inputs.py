"""From AnnData to the arrays the core works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from falcon_sc._expression import read_embedding, read_expression
from falcon_sc.pp.select_genes import choose_genes

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData
    from scipy import sparse

    from falcon_sc._expression import Expression
    from falcon_sc.core.start.input import StartInput


@dataclass(frozen=True)
class Inputs:
    """What the model is trained on.

    Parameters
    ----------
    features
        float32, n_obs x n_features: chosen genes, log-normalised (CSR), or an embedding (dense).
    start
        What the labels of the start come from: labelled cells only, all expressed genes.
    genes
        bool, n_vars: the chosen genes; None for an embedding.
    assumed
        What the values were taken for.
    """

    features: np.ndarray | sparse.csr_matrix
    start: StartInput
    genes: np.ndarray | None
    assumed: str


def check_choice(use_rep: str | None, layer: str | None) -> None:
    """An embedding and a layer exclude each other."""
    if use_rep is not None and layer is not None:
        msg = f"use_rep={use_rep!r} and layer={layer!r} were both given: choose one."
        raise ValueError(msg)


def read_inputs(
    adata: AnnData,
    *,
    known: np.ndarray,
    layer: str | None,
    use_rep: str | None,
    n_top_genes: int,
    batch: np.ndarray | None,
) -> Inputs:
    """Read an embedding, or choose genes and normalise them; only labelled cells have a say in the choice."""
    batch = None if batch is None else batch[known]
    if use_rep is not None:
        return _embedding(adata, use_rep, known, batch)
    expression = read_expression(adata, layer)
    labelled = expression.of_cells(known)
    genes = choose_genes(labelled, n_top_genes, batch)
    return Inputs(expression.log_normalised(genes), _start_of(labelled, batch), genes, expression.kind)


def read_start(
    adata: AnnData, *, known: np.ndarray, layer: str | None, use_rep: str | None, batch: np.ndarray | None
) -> tuple[StartInput, str]:
    """What the start clusters, labelled cells only, and what the values were taken for."""
    batch = None if batch is None else batch[known]
    if use_rep is not None:
        inputs = _embedding(adata, use_rep, known, batch)
        return inputs.start, inputs.assumed
    expression = read_expression(adata, layer)
    return _start_of(expression.of_cells(known), batch), expression.kind


def _embedding(adata: AnnData, use_rep: str, known: np.ndarray, batch: np.ndarray | None) -> Inputs:
    from falcon_sc.core.start.input import StartInput

    embedding = read_embedding(adata, use_rep)
    start = StartInput(embedding[known], "embedding", batch)
    return Inputs(embedding, start, None, f"embedding adata.obsm[{use_rep!r}]")


def _start_of(labelled: Expression, batch: np.ndarray | None) -> StartInput:
    from falcon_sc.core.start.input import StartInput

    if labelled.counts is None:
        return StartInput(labelled.log_normalised(labelled.expressed), "lognorm", batch)
    return StartInput(labelled.counts[:, labelled.expressed], "counts", batch)
