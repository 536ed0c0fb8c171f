"""The main job: fine classes inside given coarse classes."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from falcon_sc._checks import check_adata, check_int, check_key_added, check_unique_genes, check_writable
from falcon_sc._labels import read_labels, warn_missing
from falcon_sc.pp.select_genes import read_batch
from falcon_sc.tl._classes import check_classes, check_n_fine, count_coarse, report_small_classes
from falcon_sc.tl._estimates import estimate, totals
from falcon_sc.tl._inputs import check_choice, dataset_names, read_inputs
from falcon_sc.tl._params import (
    N_NEIGHBORS,
    RELATION_SOLVER,
    about_run,
    check_licence,
    check_rng,
    check_start,
    plain,
    with_keywords,
)
from falcon_sc.tl._write import Results, write

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from anndata import AnnData

    from falcon_sc._labels import Labels
    from falcon_sc.core.config import FalconConfig, Solver
    from falcon_sc.core.model import Falcon
    from falcon_sc.tl._inputs import Inputs


def discover(
    adata: AnnData,
    coarse_key: str,
    n_fine: int | Mapping[Any, int] | Literal["auto"],
    *,
    layer: str | None = None,
    use_rep: str | None = None,
    n_top_genes: int = 2000,
    batch_key: str | None = None,
    dataset_key: str | None = None,
    n_neighbors: int = N_NEIGHBORS,
    config: FalconConfig | None = None,
    max_epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    relation_solver: Solver = RELATION_SOLVER,
    device: str | None = None,
    progress_bar: bool = True,
    rng: int | np.random.Generator | None = 0,
    key_added: str = "falcon",
    save_model: str | Path | None = None,
    checkpoint: str | Path | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Discover fine classes inside the coarse classes of ``adata.obs[coarse_key]`` (FALCON, :cite:p:`Grcic2024`).

    One model is trained for all coarse classes together. Every fine class lies in one coarse class, and every cell is
    put into a fine class of its own coarse class, unless ``restrict_to_coarse`` of `config` is off, as it is in the
    settings of the paper. No fine label is needed.

    Raw counts and log-normalised values are told apart; the log says what was assumed.

    Parameters
    ----------
    adata
        Annotated data, n_obs x n_vars: raw counts or log-normalised values, dense or sparse.
    coarse_key
        Column of ``adata.obs`` with the coarse labels (strings, categories or integers), at least
        two of them. Cells without a label (NA) are not used for training and get no fine class.
    n_fine
        Total number of fine classes, or a mapping from every coarse class to its number of fine classes, or
        ``"auto"``: the total that :func:`falcon_sc.tl.estimate_n_fine` estimates with the same `rng`. It was off
        by up to a factor of three on annotated sets; a number that you know is better. The log and ``params`` hold it
        and its range.
    layer
        Layer to read instead of ``adata.X``.
    use_rep
        Embedding in ``adata.obsm`` (for instance a batch-corrected one) to use instead of genes.
    n_top_genes
        Number of highly variable genes, see :func:`falcon_sc.pp.select_genes`; 2,000 in the
        paper. Data with fewer genes keep all of them. Not used with `use_rep`.
    batch_key
        Column of ``adata.obs``, e.g. the donor: genes are chosen across batches, as in the paper.
    dataset_key
        Column of ``adata.obs`` that tells apart data sets with coarse labels of their own (section
        3.4 of the paper). They share the fine classes; each has its own relation M.
    n_neighbors
        L of the paper: neighbours of a cell inside its coarse class. Smaller classes repeat theirs.
        At its default, 20, the value of `config` is used.
    config
        Every hyperparameter, see :class:`falcon_sc.FalconConfig`. The keywords below, where they
        are not left at their default, replace its values.
    max_epochs
        Epochs of training.
    batch_size
        Cells of a minibatch.
    lr
        Learning rate.
    relation_solver
        Solver of eq. 14: ``"auto"`` takes ``"flow"``, which is exact and needs no licence.
    device
        Where to compute, such as ``"cpu"`` or ``"cuda"``. By default a GPU if there is one; the log says which.
    progress_bar
        Show a bar over the epochs.
    rng
        Seed or generator. On the CPU the same seed gives the same labels, bit for bit.
    key_added
        Prefix of everything that is written.
    save_model
        Folder to save the model in, for :meth:`falcon_sc.Falcon.load` and :func:`falcon_sc.tl.predict`.
    checkpoint
        Folder for the state of the run, from which an interrupted one goes on when it is called again.
    copy
        Work on a copy and return it.

    Returns
    -------
    None if ``copy=False``, else the copy. All is written at the end, so that an error or an interrupt leaves `adata`
    as it was. Sets the following fields (for ``key_added="falcon"``):

    ``adata.obs["falcon_fine"]`` : category
        Fine class, named ``"<coarse>:<i>"`` with i by falling size inside the coarse class (parents
        in several data sets are joined by ``|``). NA where the coarse label is NA.
    ``adata.obs["falcon_confidence"]`` : float32, in [0, 1]
        How far the clusterings that the labels rest on agree that the cell is in this class, or, with a random start
        or several data sets, the probability that the network gives the class; NaN where there is none.
    ``adata.obsm["falcon_proba"]`` : float32, n_obs x n_fine
        Probabilities that the network gives, columns in the order of ``fine_names``, rows sum to 1. For cells
        without a coarse label: over all fine classes. Their mean certainty is made that of the confidence.
    ``adata.obsm["X_falcon"]`` : float32, n_obs x n_hidden
        Last hidden layer, for ``sc.pp.neighbors(adata, use_rep="X_falcon")``.
    ``adata.uns["falcon"]`` : dict
        ``M`` (uint8, n_fine x n_coarse, 1 where a fine class hangs under a coarse class),
        ``fine_names``, ``coarse_names`` (and ``coarse_dataset`` with several data sets, whose M
        stand side by side), ``params`` (plain scalars), ``history`` (1-d arrays, one value an epoch).
    ``adata.var["falcon_highly_variable"]`` : bool
        The genes used (not with `use_rep`).

    Raises
    ------
    KeyError
        `coarse_key`, `layer`, `use_rep`, `batch_key` or `dataset_key` is not in `adata`.
    TypeError
        `n_fine` is neither an int, nor a mapping to ints, nor "auto"; another argument has a wrong type.
    ValueError
        One coarse class only, or one with a single cell; `n_fine` smaller than the number of coarse
        classes, larger than the number of cells, or a mapping that misses a class; NaN, inf or
        negative values in the matrix; `layer` and `use_rep` together; duplicate cell names; `adata`
        is a view, backed or empty; a device that is not there.
    RuntimeError
        ``relation_solver="gurobi"`` and no licence, or one too small for this problem.
    PermissionError
        `save_model` or `checkpoint` cannot be written.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> adata = fsc.datasets.pbmc68k_reduced()
    >>> fsc.tl.discover(adata, coarse_key="coarse", n_fine=10, max_epochs=5, progress_bar=False)
    >>> adata.obs["falcon_fine"].cat.categories.size
    10
    """
    check_adata(adata, copy=copy)
    check_key_added(key_added)
    check_choice(use_rep, layer)
    n_top_genes = check_int(n_top_genes, "n_top_genes")
    labels = read_labels(adata, coarse_key, "coarse_key")
    dataset = None if dataset_key is None else dataset_names(adata, dataset_key)[labels.known]
    check_classes(labels, coarse_key)
    budget = check_n_fine(n_fine, labels, dataset)
    batch = None if batch_key is None else read_batch(adata, batch_key)
    check_rng(rng)
    config = with_keywords(config, n_neighbors, max_epochs, batch_size, lr, relation_solver)
    check_start(config, budget)
    if budget is not None:
        check_licence(config, budget, count_coarse(labels, dataset))
    report_small_classes(labels, config.n_neighbors)
    if save_model is not None:
        check_unique_genes(adata)
        save_model = check_writable(save_model, "save_model", folder=True)
    if checkpoint is not None:
        checkpoint = check_writable(checkpoint, "checkpoint", folder=True)

    from falcon_sc.core.model import Falcon
    from falcon_sc.core.runtime.device import resolve_device

    found_device = resolve_device(device)
    inputs = read_inputs(adata, known=labels.known, layer=layer, use_rep=use_rep, n_top_genes=n_top_genes, batch=batch)
    warn_missing(labels, coarse_key, "coarse_key", "they are not used for training and get no fine class")
    about: dict[str, Any] = {"coarse_key": coarse_key, "assumed": inputs.assumed, "use_rep": use_rep, "layer": layer}
    if budget is None:
        about |= totals(estimate(inputs.start, labels, rng=rng, progress_bar=progress_bar))
        budget = int(about["n_fine"])
        check_licence(config, budget, count_coarse(labels, dataset))
    model = Falcon(budget, config, device=found_device, rng=rng, progress_bar=progress_bar)
    names = None if inputs.genes is None else adata.var_names[inputs.genes].to_numpy(dtype=np.str_)
    training = inputs.features if labels.known.all() else inputs.features[labels.known]
    model.fit(training, labels.values, dataset, start_input=inputs.start, feature_names=names, checkpoint=checkpoint)
    about |= {"batch_key": batch_key, "dataset_key": dataset_key}
    if use_rep is None:
        about["n_top_genes"] = n_top_genes
    model.metadata |= plain(about | {"falcon_sc": version("falcon-sc")})
    params = plain(config.to_dict() | model.metadata | about_run(model, rng))
    results = _results(model, inputs, labels, params)
    if save_model is not None:
        model.save(save_model)
    adata = adata.copy() if copy else adata
    write(adata, key_added, model, results)
    return adata if copy else None


def _results(model: Falcon, inputs: Inputs, labels: Labels, params: dict[str, Any]) -> Results:
    """Results of all cells; those without a coarse label get probabilities but no class."""
    known = labels.known
    fine = np.full(known.size, -1, dtype=np.int64)
    proba = np.empty((known.size, model.relation_.shape[0]), dtype=np.float32)
    confidence = np.full(known.size, np.nan, dtype=np.float32)
    embedding = np.empty((known.size, model.embedding_.shape[1]), dtype=np.float32)
    fine[known], confidence[known] = model.labels_, model.confidence_
    proba[known], embedding[known] = model.proba_, model.embedding_
    if not known.all():
        rest = inputs.features[~known]
        proba[~known], embedding[~known] = model.predict_proba(rest), model.transform(rest)
    return Results(fine, proba, confidence, embedding, inputs.genes, params)
