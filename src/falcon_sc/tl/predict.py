"""Fine classes of cells the model has not seen."""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import check_adata, listed, obs_column
from falcon_sc._embeddings import COLUMNS, read_embedding
from falcon_sc._kinds import advised
from falcon_sc._labels import read_groups, read_labels
from falcon_sc._log import show_log
from falcon_sc._output import Output
from falcon_sc._written import CLASSES, check_free, is_kind
from falcon_sc.core.data.labels import match
from falcon_sc.core.state.decisions import from_table
from falcon_sc.tl._inputs import check_choice
from falcon_sc.tl._model_genes import filled, match_genes
from falcon_sc.tl._new_values import read_new_values
from falcon_sc.tl._params import plain
from falcon_sc.tl._write import Results, write

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData
    from scipy import sparse

    from falcon_sc._kinds import Values
    from falcon_sc.core.model import Falcon
    from falcon_sc.tl._model_genes import MissingGenes

logger = logging.getLogger(__name__)


def predict(
    adata: AnnData,
    model: Falcon,
    *,
    coarse_key: str | None = None,
    layer: str | None = None,
    values: Values | None = None,
    use_rep: str | None = None,
    missing_genes: MissingGenes = "error",
    dataset_key: str | None = None,
    key_added: str = "falcon",
    output: str | Path | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Put new cells into the fine classes of a model.

    Genes are matched by name, in any order, and brought to the values that the model was trained on: counts are
    normalized to its total, values that were log-normalized to another total (scanpy's default is the median) are
    rescaled to it. Totals run over the genes that the training cells had. A warning says so where this is an estimate.

    Parameters
    ----------
    adata
        Annotated data with the genes (or the embedding) the model was trained on, raw counts or log-normalized values.
        Give all genes that were measured, not only those of the model: without them totals are estimates. On disk
        (backed h5ad, or a dask array) they are read a few blocks of rows at a time.
    model
        A fitted model: ``falcon_sc.Falcon.load(path)`` after ``falcon_sc.tl.discover(..., save_model=path)``.
        It computes on the device it was loaded to.
    coarse_key
        Column of ``adata.obs`` with coarse labels, if they are known. A cell with a label gets a
        fine class of that coarse class; cells without one (NA) are free to get any.
    layer
        Layer to read instead of ``adata.X``.
    values
        What the matrix holds, where what is recognized is wrong: ``"counts"``, ``"lognorm"`` or, for a model that was
        trained on such values, ``"continuous"``. See :func:`falcon_sc.tl.discover`.
    use_rep
        Embedding in ``adata.obsm``, for a model that was trained on one. The columns of a table go by their names, in any order.
    missing_genes
        What to do if genes of the model are not in `adata`: ``"error"``, or ``"fill"`` them with their mean over the
        training cells, with a warning, as long as they held at most a tenth of the variance there: on four real sets
        93 to 100 % of held-out cells then kept their label (:doc:`/benchmarks`).
    dataset_key
        Column of ``adata.obs`` with the data set whose coarse labels `coarse_key` holds, for a model of several.
    key_added
        Prefix of everything that is written. Refused if that would replace anything but earlier results that
        this function or :func:`falcon_sc.tl.discover` wrote under the same prefix, or what this call reads; or a tree of
        splits, or decisions that `model` does not know.
    output
        A ``.h5ad`` file or ``.zarr`` store to write the cells with their results to; see :func:`falcon_sc.tl.discover`.
    copy
        Work on a copy and return it.

    Returns
    -------
    None if ``copy=False``, else the copy. Sets the fields of :func:`falcon_sc.tl.discover` but for the tree and the leaves,
    all at the end; every cell has a fine class. The confidence is the probability that the network gives it.

    Raises
    ------
    KeyError
        `coarse_key`, `layer`, `use_rep` or `dataset_key` is not in `adata`.
    TypeError
        `adata` is no AnnData, `model` no fitted :class:`falcon_sc.Falcon`, or a key no name.
    ValueError
        Genes of the model are missing, or too many to fill them; values that cannot be brought to those of the training
        cells, or that cannot be what `values` says; a coarse label is unknown to the model; an embedding has
        another number of dimensions; wrong values in the matrix; `adata` is empty; `output` is of another format, is
        read, or holds something else.
    ImportError
        A matrix on disk, and no dask (the extra ``disk``).
    PermissionError
        `output` cannot be written.
    OSError
        It could be written before the run and not after it. Then `adata` holds the results, as does `error.adata`.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> adata = fsc.datasets.pbmc68k_reduced()
    >>> known, new = adata[:600].copy(), adata[600:].copy()
    >>> fsc.tl.discover(known, "coarse", 10, max_epochs=5, progress_bar=False, save_model="falcon_model")
    >>> model = fsc.Falcon.load("falcon_model")
    >>> fsc.tl.predict(new, model, coarse_key="coarse")
    >>> new.obsm["falcon_proba"].shape
    (100, 10)
    """
    show_log()
    check_adata(adata, copy=copy, genes=use_rep is None)
    check_free(adata, key_added, CLASSES, coarse_key=coarse_key, dataset_key=dataset_key, use_rep=use_rep)
    check_choice(use_rep, layer, values)
    _check_model(model)
    _check_kept(adata, key_added, model)
    coarse = None if coarse_key is None else _coarse(adata, coarse_key, model)
    dataset = _dataset(adata, None if coarse is None else coarse_key, dataset_key, model)
    genes = match_genes(adata, use_rep, model, missing_genes)
    target = Output.checked(output, adata, key_added)
    adata = adata.copy() if copy else adata  # first: where there is no memory for it, no work is lost
    features, assumed = _features(adata, genes, model, layer=layer, values=values, use_rep=use_rep)

    proba, embedding, fine, _ = model.infer(features, coarse, dataset)
    confidence = proba[np.arange(adata.n_obs), fine]
    about: dict[str, Any] = {
        "coarse_key": coarse_key,
        "assumed": assumed,
        "use_rep": use_rep,
        "layer": layer,
        "predicted": True,
    }
    about |= {"values": values, "n_genes_filled": 0 if genes is None else int((genes < 0).sum())}
    params = plain(model.metadata | about | {"falcon_sc": version("falcon-sc"), "device": str(model.device_)})
    used = None if genes is None else np.isin(np.arange(adata.n_vars), genes)
    write(adata, key_added, model, Results(fine, proba, confidence, embedding, used, params))
    if target is not None:
        target.write(adata, copied=copy)
    return adata if copy else None


def _check_model(model: object) -> None:
    from falcon_sc.core.model import Falcon

    if not isinstance(model, Falcon):
        msg = f"model must be a falcon_sc.Falcon, found {type(model).__name__}: load one with falcon_sc.Falcon.load(path)."
        raise TypeError(msg)
    if not hasattr(model, "relation_"):
        msg = "model is not fitted: fit it with falcon_sc.tl.discover(..., save_model=path) or its fit method."
        raise TypeError(msg)


def _check_kept(adata: AnnData, key_added: str, model: Falcon) -> None:
    """A result under the key is replaced, but for what cannot be had again: a tree, and decisions that the model lacks."""
    about: Any = adata.uns.get(key_added)
    if not is_kind(about, CLASSES):
        return
    made = from_table(about["decisions"]) if "decisions" in about else ()
    for name, is_lost, whose in (
        ("tree", "tree" in about, "the tree of splits that falcon_sc.tl.discover found"),
        (
            "decisions",
            made != model.decisions_[: len(made)],
            "decisions about the classes that the model does not know",
        ),
    ):
        if is_lost:
            msg = (
                f"key_added={key_added!r} would overwrite adata.uns[{key_added!r}][{name!r}], {whose}: give another key_added, "
                f"such as {key_added + '_2'!r}, or delete that first: adata.uns[{key_added!r}].pop({name!r})."
            )
            raise ValueError(msg)


def _coarse(adata: AnnData, coarse_key: str, model: Falcon) -> pd.Categorical | None:
    """Coarse labels, all of them known to the model, n_obs; missing where there is none, and None if there is none at all."""
    if obs_column(adata, coarse_key, "coarse_key").isna().all():
        logger.info("coarse_key=%r is missing (NA) for all cells: each gets any fine class", coarse_key)
        return None
    labels = read_labels(adata, coarse_key, "coarse_key")
    known = list(dict.fromkeys(model.coarse_names_.tolist()))
    unknown = [name for name, place in zip(labels.names, match(labels.names, known), strict=True) if place < 0]
    if unknown:
        msg = (
            f"coarse_key={coarse_key!r} holds labels that the model does not know: {listed(unknown)}. "
            f"It knows {listed(known)}. Rename them, or set them to NA to let the model choose freely."
        )
        raise ValueError(msg)
    return labels.of_all()


def _dataset(adata: AnnData, coarse_key: str | None, dataset_key: str | None, model: Falcon) -> np.ndarray | None:
    """Data set of each cell, for a model of several whose coarse labels are given."""
    if dataset_key is not None:
        obs_column(adata, dataset_key, "dataset_key")  # one that is not there is a mistake, also where none is needed
    known = list(dict.fromkeys(model.coarse_dataset_.tolist()))
    if coarse_key is None or len(known) == 1:
        return None
    if dataset_key is None:
        msg = f"the model was trained on the data sets {listed(known)}: say with dataset_key=... whose labels coarse_key holds."
        raise ValueError(msg)
    dataset = read_groups(adata, dataset_key, "dataset_key")
    names = np.unique(dataset)
    unknown = [name for name, place in zip(names, match(names, known), strict=True) if place < 0]
    if unknown:
        msg = f"dataset_key={dataset_key!r} holds {listed(unknown)}, the model knows {listed(known)}."
        raise ValueError(msg)
    return dataset


def _features(
    adata: AnnData,
    genes: np.ndarray | None,
    model: Falcon,
    *,
    layer: str | None,
    values: Values | None,
    use_rep: str | None,
) -> tuple[np.ndarray | sparse.csr_matrix, str]:
    """What the model reads, and what the values were taken for."""
    if genes is not None:
        with advised(
            "give raw counts or log-normalized values, as the model was trained on, for instance with layer=..."
        ):
            features, assumed = read_new_values(adata, layer, values, genes[genes >= 0], model)
        return filled(features, genes, model), assumed
    embedding = read_embedding(adata, str(use_rep), model.metadata.get(COLUMNS))
    if embedding.shape[1] != model.n_features_in_:
        msg = (
            f"use_rep={use_rep!r} has {embedding.shape[1]} dimensions, the model was trained on {model.n_features_in_}."
        )
        raise ValueError(msg)
    return embedding, f"embedding adata.obsm[{use_rep!r}]"
