"""From AnnData to the arrays the core works on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._blocks import columns_of
from falcon_sc._embeddings import read_embedding, read_named_embedding
from falcon_sc._expression import read_continuous, read_expression
from falcon_sc._kinds import check_values
from falcon_sc.core.data.memory_rows import as_rows
from falcon_sc.core.data.rows import in_memory, many_times, of_rows
from falcon_sc.core.start.representation.normalizations import counts_can_be_recovered
from falcon_sc.pp.select_genes import choose_genes, most_variable
from falcon_sc.tl._training_values import TrainingValues

if TYPE_CHECKING:
    from anndata import AnnData

    from falcon_sc._expression import Expression
    from falcon_sc._kinds import Values
    from falcon_sc.core.start.input import Kind, StartInput


@dataclass(frozen=True)
class Inputs:
    """What the model is trained on.

    Parameters
    ----------
    features
        float32, labeled cells x n_features: chosen genes, log-normalized (CSR, or rows on disk), or an embedding (dense).
    others
        The same of the cells without a label.
    start
        What the labels of the start come from: labeled cells only, all expressed genes.
    genes
        bool, n_vars: the chosen genes; None for an embedding.
    assumed
        What the values were taken for.
    training_values
        What `predict` has to know of the training cells; None for an embedding.
    columns
        What those of an embedding are called, if it is a table.
    """

    features: Any
    others: Any
    start: StartInput
    genes: np.ndarray | None
    assumed: str
    training_values: TrainingValues | None = None
    columns: list[str] | None = None


def check_choice(use_rep: str | None, layer: str | None, values: Values | None = None) -> None:
    """An embedding excludes a layer and what its values are: it is used as it is."""
    check_values(values)
    for name, given in {"layer": layer, "values": values}.items():
        if use_rep is not None and given is not None:
            msg = f"use_rep={use_rep!r} and {name}={given!r} were both given: choose one."
            raise ValueError(msg)


def read_inputs(
    adata: AnnData,
    *,
    known: np.ndarray,
    layer: str | None,
    use_rep: str | None,
    n_top_genes: int,
    batch: np.ndarray | None,
    values: Values | None = None,
) -> Inputs:
    """Read an embedding, or choose genes and normalize them; only labeled cells have a say in the choice."""
    batch = None if batch is None else batch[known]
    if use_rep is not None:
        return _embedding(adata, use_rep, known, batch)
    if values == "continuous":
        return _continuous(adata, layer, known, n_top_genes, batch)
    expression = read_expression(adata, layer, values)
    labeled = expression.of_cells(known)
    genes = choose_genes(labeled, n_top_genes, batch)
    features, others = labeled.log_normalized(genes), expression.of_cells(~known).log_normalized(genes)
    names = adata.var_names.to_numpy(dtype=np.str_)
    training_values = TrainingValues.of(labeled, features, names)
    return Inputs(features, others, _start_of(labeled, batch), genes, expression.kind, training_values)


def read_start(
    adata: AnnData,
    *,
    known: np.ndarray,
    layer: str | None,
    use_rep: str | None,
    batch: np.ndarray | None,
    values: Values | None = None,
    genes: np.ndarray | None = None,
) -> tuple[StartInput, str]:
    """What the start clusters, labeled cells only, and what the values were taken for.

    `genes`: those that `discover` chose (bool, n_vars), to which continuous values are cut.
    """
    batch = None if batch is None else batch[known]
    if use_rep is not None or values == "continuous":
        inputs = (
            _embedding(adata, use_rep, known, batch)
            if use_rep is not None
            else _continuous(adata, layer, known, adata.n_vars, batch, genes=genes)
        )
        return inputs.start, inputs.assumed
    expression = read_expression(adata, layer, values)
    return _start_of(expression.of_cells(known), batch), expression.kind


def read_features(adata: AnnData, genes: np.ndarray | None, layer: str | None, use_rep: str | None, values: Any) -> Any:
    """What a network reads of all cells: an embedding, or `genes` (bool, n_vars) as :func:`read_inputs` gives them."""
    if use_rep is not None:
        return read_embedding(adata, use_rep)
    assert genes is not None
    if values == "continuous":
        chosen = in_memory(columns_of(read_continuous(adata, layer), genes))
        return chosen if isinstance(chosen, np.ndarray) else chosen.toarray()
    return in_memory(read_expression(adata, layer, values, announce=False).log_normalized(genes))


def _embedding(adata: AnnData, use_rep: str, known: np.ndarray, batch: np.ndarray | None) -> Inputs:
    from falcon_sc.core.start.input import StartInput

    embedding, columns = read_named_embedding(adata, use_rep)
    features = of_rows(embedding, known)
    start = StartInput(features, "embedding", batch)
    return Inputs(features, embedding[~known], start, None, f"embedding adata.obsm[{use_rep!r}]", columns=columns)


def _continuous(
    adata: AnnData,
    layer: str | None,
    known: np.ndarray,
    n_top_genes: int,
    batch: np.ndarray | None,
    *,
    genes: np.ndarray | None = None,
) -> Inputs:
    """Values as they are: the columns that vary most are used like the dimensions of an embedding, a few like a panel."""
    from falcon_sc.core.start.input import MARKERS_OF_A_PANEL, StartInput

    matrix = read_continuous(adata, layer)
    genes = most_variable(of_rows(matrix, known), n_top_genes, batch) if genes is None else genes
    if not genes.any():
        msg = "values='continuous': no column of the matrix varies over the labeled cells."
        raise ValueError(msg)
    chosen = in_memory(columns_of(matrix, genes))
    dense = np.ascontiguousarray(chosen) if isinstance(chosen, np.ndarray) else chosen.toarray()
    features = of_rows(dense, known)
    kind: Kind = "panel" if matrix.shape[1] <= MARKERS_OF_A_PANEL else "embedding"
    start, about = StartInput(features, kind, batch), TrainingValues.of_continuous(features)
    return Inputs(features, dense[~known], start, genes, "continuous", about)


def _start_of(labeled: Expression, batch: np.ndarray | None) -> StartInput:
    """Of one coarse class after the other when it is clustered: what is made of the values is never there as a whole."""
    from falcon_sc.core.start.input import MARKERS_OF_A_PANEL, StartInput

    if labeled.counts is None:
        later = replace(labeled, values=as_rows(labeled.values))
        matrix = many_times(later.log_normalized(labeled.expressed))
        is_panel = matrix.shape[1] <= MARKERS_OF_A_PANEL and not counts_can_be_recovered(matrix)
        return StartInput(matrix, "panel" if is_panel else "lognorm", batch)
    return StartInput(many_times(columns_of(as_rows(labeled.counts), labeled.expressed)), "counts", batch)
