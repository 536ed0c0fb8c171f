"""A discovery from one end to the other: checks, arrays out of `adata`, the model, results into `adata`."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import check_adata, check_int, check_rng, check_unique_genes
from falcon_sc._embeddings import COLUMNS
from falcon_sc._labels import read_batch, read_groups, read_labels, warn_missing
from falcon_sc._log import show_log
from falcon_sc._output import Output
from falcon_sc._saving import check_folders, check_outside, save_fitted
from falcon_sc._written import CLASSES, check_free
from falcon_sc.core.data.budget import check_shared_out
from falcon_sc.tl._classes import check_n_fine, count_coarse, report_small_classes
from falcon_sc.tl._estimates import estimate, totals
from falcon_sc.tl._inputs import check_choice, read_inputs
from falcon_sc.tl._params import about_run, check_license, model_id, plain, with_keywords
from falcon_sc.tl._write import Results, write

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from falcon_sc._kinds import Values
    from falcon_sc._labels import Labels
    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.model import Falcon
    from falcon_sc.tl._inputs import Inputs


def run(
    adata: AnnData,
    coarse_key: str,
    n_fine: Any,
    *,
    fixed: Any = None,
    layer: str | None = None,
    values: Values | None = None,
    use_rep: str | None = None,
    n_top_genes: int = 2000,
    batch_key: str | None = None,
    dataset_key: str | None = None,
    config: FalconConfig | None = None,
    keywords: dict[str, Any] | None = None,
    device: str | None = None,
    progress_bar: bool = True,
    rng: int | np.random.Generator | None = 0,
    key_added: str = "falcon",
    save_model: str | Path | None = None,
    checkpoint: str | Path | None = None,
    output: str | Path | None = None,
    copy: bool = False,
) -> tuple[Falcon, AnnData]:
    """The fitted model, and the object that holds the results: `adata`, or its copy.

    The arguments are those of :func:`falcon_sc.tl.discover`; `keywords` are those that replace values of `config`.
    """
    show_log()
    check_adata(adata, copy=copy, genes=use_rep is None)
    check_free(
        adata, key_added, CLASSES, coarse_key=coarse_key, batch_key=batch_key, dataset_key=dataset_key, use_rep=use_rep
    )
    check_choice(use_rep, layer, values)
    n_top_genes = check_int(n_top_genes, "n_top_genes")
    labels = read_labels(adata, coarse_key, "coarse_key")
    if dataset_key == coarse_key:
        msg = f"dataset_key={dataset_key!r} is the column of coarse labels: give the one that tells apart data sets, or leave it out."
        raise ValueError(msg)
    dataset = None if dataset_key is None else read_groups(adata, dataset_key, "dataset_key")[labels.known]
    budget = check_n_fine(n_fine, fixed, labels, dataset)
    batch = None if batch_key is None else read_batch(adata, batch_key)
    check_rng(rng)
    config = with_keywords(config, **keywords or {})
    check_shared_out(fixed, config.start)
    if budget is not None:
        check_license(config, budget, count_coarse(labels, dataset))
    report_small_classes(labels, coarse_key, config.n_neighbors)
    if save_model is not None:
        check_unique_genes(adata)
    model_folder, checkpoint = check_folders(save_model, checkpoint)
    target = Output.checked(output, adata, key_added)
    if target is not None:
        check_outside({"save_model": model_folder, "checkpoint": checkpoint}, {"output": target.path})

    from falcon_sc.core.model import Falcon
    from falcon_sc.core.runtime import distributed
    from falcon_sc.core.runtime.device import resolve_device

    where = resolve_device(device)
    adata = adata.copy() if copy else adata  # first: where there is no memory for it, no work is lost
    inputs = read_inputs(
        adata,
        known=labels.known,
        layer=layer,
        use_rep=use_rep,
        n_top_genes=n_top_genes,
        batch=batch,
        values=values,
    )
    warn_missing(labels, coarse_key, "coarse_key", "they are not used for training and get no fine class")
    about: dict[str, Any] = {"coarse_key": coarse_key, "assumed": inputs.assumed, "use_rep": use_rep, "layer": layer}
    about["panel"] = inputs.start.kind == "panel"
    if budget is None:
        found = estimate(inputs.start, labels, config, rng=rng, progress_bar=progress_bar)
        about |= totals(found)
        budget = dict(zip(labels.names.tolist(), found.estimate.tolist(), strict=True))
        check_license(config, budget, count_coarse(labels, dataset))
    model = Falcon(budget, config, fixed=fixed, device=where, rng=rng, progress_bar=progress_bar)
    names = None if inputs.genes is None else adata.var_names[inputs.genes].to_numpy(dtype=np.str_)
    model.fit(
        inputs.features, labels.values, dataset, start_input=inputs.start, feature_names=names, checkpoint=checkpoint
    )
    about |= {"batch_key": batch_key, "dataset_key": dataset_key, "values": values}
    if use_rep is None:
        about["n_top_genes"] = n_top_genes
    about |= {"n_fine": int(model.relation_.shape[0]), "model_id": model_id(model), "falcon_sc": version("falcon-sc")}
    model.metadata |= plain(about)
    if inputs.training_values is not None:
        inputs.training_values.keep(model)
    if inputs.columns is not None:
        model.metadata[COLUMNS] = inputs.columns
    saved = {} if model_folder is None else {"saved_model": str(model_folder.resolve())}
    params = plain(config.to_dict() | model.metadata | about_run(model, rng) | saved)
    results = _results(model, inputs, labels, params)
    write(adata, key_added, model, results)
    try:
        if target is not None and distributed.rank() == 0:
            target.write(adata, copied=copy)
    finally:
        if model_folder is not None:
            column = f"adata.obs[{f'{key_added}_fine'!r}]"
            save_fitted(model, model_folder, labels=column + (", of error.adata" if copy else ""), adata=adata)
    return model, adata


def _results(model: Falcon, inputs: Inputs, labels: Labels, params: dict[str, Any]) -> Results:
    """Results of all cells; those without a coarse label get probabilities but no class."""
    from falcon_sc.core.state.found import Found

    known, found = labels.known, model.found_
    proba, embedding, by_leaf = model.proba_, model.embedding_, found.proba
    if not known.all():
        others = model.infer(inputs.others, with_outputs=True)
        proba, embedding = _of_all(known, proba, others.proba), _of_all(known, embedding, others.embedding)
        assert others.outputs is not None
        by_leaf = _rows_of_all(known, by_leaf, others.outputs)
    fine, confidence, leaf = (
        _of_all(known, own, fill)
        for own, fill in ((model.labels_, -1), (model.confidence_, np.nan), (found.labels, -1))
    )
    leaves = None
    if found.tree is not None and found.agreement is not None:
        leaves = Found(by_leaf, leaf, _of_all(known, found.agreement, np.nan), found.tree)
    return Results(fine, proba, confidence, embedding, inputs.genes, params, leaves)


def _of_all(known: np.ndarray, own: np.ndarray, others: np.ndarray | float) -> np.ndarray:
    """An array over all cells, of its rows for those that are `known` and for the others."""
    if known.all():
        return own
    together = np.empty((known.size, *own.shape[1:]), dtype=own.dtype)
    together[known], together[~known] = own, others
    return together


def _rows_of_all(known: np.ndarray, own: Any, others: np.ndarray) -> Any:
    """The same of a matrix that may be CSR."""
    from scipy import sparse

    if not sparse.issparse(own):
        return _of_all(known, own, others)
    place = np.empty(known.size, dtype=np.int64)
    place[known], place[~known] = np.arange(own.shape[0]), own.shape[0] + np.arange(len(others))
    return sparse.vstack([own, sparse.csr_matrix(others)], format="csr")[place]
