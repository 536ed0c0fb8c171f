"""The main job: fine classes inside given coarse classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from falcon_sc.tl._run import run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from anndata import AnnData

    from falcon_sc._kinds import Values
    from falcon_sc.core.config import FalconConfig, Solver


def discover(
    adata: AnnData,
    coarse_key: str,
    n_fine: int | Mapping[Any, int] | Literal["auto"],
    *,
    fixed: Mapping[Any, int] | None = None,
    layer: str | None = None,
    values: Values | None = None,
    use_rep: str | None = None,
    n_top_genes: int = 2000,
    batch_key: str | None = None,
    dataset_key: str | None = None,
    n_neighbors: int | None = None,
    config: FalconConfig | None = None,
    max_epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    relation_solver: Solver | None = None,
    device: str | None = None,
    n_jobs: int | None = None,
    progress_bar: bool = True,
    rng: int | np.random.Generator | None = 0,
    key_added: str = "falcon",
    save_model: str | Path | None = None,
    checkpoint: str | Path | None = None,
    output: str | Path | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Discover fine classes inside the coarse classes of ``adata.obs[coarse_key]`` (FALCON, :cite:p:`Grcic2024`).

    One model is trained for all coarse classes together. Every fine class lies in one coarse class, and every cell is
    put into a fine class of its own coarse class, unless ``restrict_to_coarse`` of `config` is off, as it is in the
    settings of the paper. No fine label is needed.

    Raw counts and log-normalized values are told apart; the log says what was assumed.

    Parameters
    ----------
    adata
        Annotated data, n_obs x n_vars: raw counts or log-normalized values, dense or sparse, in memory or on disk
        (backed h5ad, or a dask array as of ``anndata.experimental.read_lazy``), which is read a few blocks of rows at a
        time: :doc:`/gpu_and_scale`.
    coarse_key
        Column of ``adata.obs`` with the coarse labels (strings, categories or integers). One class is enough; of
        several, each is also told from the others. A class of one or two cells stays one fine class, with a warning.
        Cells without a label (NA) are not used for training and get no fine class.
    n_fine
        Total number of fine classes, or a mapping from every coarse class to its number of fine classes, or
        ``"auto"``: in each coarse class the number that :func:`falcon_sc.tl.estimate_n_fine` estimates with the same `rng`,
        that of supported splits. A number that you know is better. :func:`falcon_sc.tl.cut` changes it afterwards in a second.
    fixed
        Numbers of fine classes that you know, for instance ``{"T cell": 6, "HSC": 1}``; the other coarse classes share
        out what they leave of the total `n_fine`. The number of each coarse class, also of those, is then kept during
        the training.
    layer
        Layer to read instead of ``adata.X``.
    values
        What the matrix holds, where the kind that is recognized (``params["assumed"]``) is wrong. ``"counts"``: counts, also
        corrected ones with decimals; cells are scaled to 10,000, then log1p. ``"lognorm"``: log-normalized values, used
        as they are. ``"continuous"``: any values, negative ones too (z-scores, residuals, arcsinh of cytometry), used as
        they are, like an embedding: no counts, and the `n_top_genes` columns with the largest variance inside batches. Up to
        100 columns without counts behind them are taken for a panel of markers (``params["panel"]``), also as ``"lognorm"``: the
        clusters are found in the scale that they have, and no column is divided by its deviation (ours, measured on mass
        cytometry).
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
        L of the paper: neighbors of a cell inside its coarse class (20, as in the paper). Smaller classes repeat theirs.
    config
        Every hyperparameter, see :class:`falcon_sc.FalconConfig`. `n_neighbors`, `n_jobs` and the four keywords below replace its
        values where they are given; `None` leaves them to it.
    max_epochs
        Epochs of training.
    batch_size
        Cells of a minibatch.
    lr
        Learning rate.
    relation_solver
        Solver of eq. 14: ``"auto"`` takes ``"flow"``, which is exact and needs no license.
    device
        Where to train, such as ``"cpu"`` or ``"cuda"``. By default a GPU if there is one; the log says which. The start
        takes the cores, with or without a GPU.
    n_jobs
        Cores to take, on a machine that is shared; by default all that may be used. The start has a process on each
        core, for at least 500 cells. With another number sums of the training may be rounded differently.
    progress_bar
        Show bars over the fits of the start and over the batches of the training.
    rng
        Seed or generator; None: another run each time. On the CPU the same seed gives the same labels, bit for bit.
    key_added
        Prefix of everything that is written. Refused if that would replace anything but earlier results that
        this function or :func:`falcon_sc.tl.predict` wrote under the same prefix, or what this call reads.
    save_model
        Folder to save the model in, for :meth:`falcon_sc.Falcon.load` and :func:`falcon_sc.tl.predict`.
    checkpoint
        Folder for the state of the run, from which an interrupted one goes on when it is called again.
    output
        A ``.h5ad`` file or ``.zarr`` store to write the cells with their results to, once there are some. Of a matrix or
        layer on disk the chunks are copied as they lie there, if the format is the same, and else a few blocks of rows at
        a time: it is never whole in memory. Refused if it is what `adata` is read from, or exists and is not an
        earlier result under the same `key_added`, which is replaced.
    copy
        Work on a copy and return it.

    Returns
    -------
    None if ``copy=False``, else the copy. All is written at the end, so that an error or an interrupt leaves `adata`
    as it was. Sets the following fields (for ``key_added="falcon"``):

    ``adata.obs["falcon_fine"]`` : category
        Fine class, named ``"<coarse>:<i>"`` with i by falling size inside the coarse class (parents
        in several data sets are joined by ``|``). NA where the coarse label is NA. Its categories are the classes
        that have cells; ``fine_names`` holds all. A class of one cell is a warning: scanpy cannot test it.
    ``adata.obs["falcon_confidence"]`` : float32, in [0, 1]
        How far the clusterings that the labels rest on agree that the cell is in this class, less up to a half where a split
        above the class is not supported, and halved in the smaller part of a class that a supported split would divide next;
        or, with a random start or several data sets, the probability that the network gives the class. NaN where there is none.
    ``adata.obsm["falcon_proba"]`` : float32, n_obs x n_fine
        Probabilities that the network gives, columns in the order of ``fine_names``, rows sum to 1. For cells
        without a coarse label: over all fine classes. On average they are as certain as the clusterings agree.
    ``adata.obsm["X_falcon"]`` : float32, n_obs x n_hidden
        Last hidden layer, for ``sc.pp.neighbors(adata, use_rep="X_falcon")``.
    ``adata.obs["falcon_leaf"]``, ``adata.obs["falcon_agreement"]``, ``adata.obsm["falcon_leaf_proba"]``
        What :func:`falcon_sc.tl.cut` needs: the leaf of the tree of splits in which each cell is, how far the clusterings agree
        on its fine class, and the probabilities of the leaves (float32, n_obs x leaves; of several coarse classes a CSR matrix,
        without the leaves of the others). Not written where there is no tree: with several data sets, no more fine than coarse classes, or in
        `config` a random start, ``prior="uniform"``, ``restrict_to_coarse=False`` or ``leaves_per_class=1``.
    ``adata.uns["falcon"]`` : dict
        ``M`` (uint8, n_fine x n_coarse, 1 where a fine class hangs under a coarse class),
        ``fine_names``, ``coarse_names`` (and ``coarse_dataset`` with several data sets, whose M
        stand side by side), ``params`` (plain scalars), ``history`` (1-d arrays, one value an epoch), and
        ``tree``, the splits inside the coarse classes with what speaks for each: :doc:`/the_tree`.
    ``adata.uns["falcon_fine_colors"]`` : list of str
        Color of each category of ``falcon_fine``, for ``sc.pl.umap`` and others: a shade of that of its coarse class, which is
        the one in ``adata.uns`` or else scanpy's. Any two fine classes are apart, for color-blind people too: :doc:`/api`.
    ``adata.var["falcon_highly_variable"]`` : bool
        The genes used (not with `use_rep`).

    Raises
    ------
    KeyError
        `coarse_key`, `layer`, `use_rep`, `batch_key` or `dataset_key` is not in `adata`.
    TypeError
        `n_fine` is neither an int, nor a mapping to ints, nor "auto"; another argument has a wrong type.
    ValueError
        `n_fine` smaller than the number of coarse classes, larger than the number of cells, or a mapping that misses a class; NaN, inf or
        negative values in the matrix, or values that cannot be what `values` says; `use_rep` with `layer` or `values`; duplicate cell names; `adata`
        is empty; a device that is not there.
        A matrix on disk that is stored by columns, damaged, or changed while it is read; ``copy=True`` in backed mode.
        `output` is of another format, is read, or holds something else; `save_model` or `checkpoint` holds files of other programs.
    ImportError
        A matrix on disk, and no dask (the extra ``disk``).
    RuntimeError
        ``relation_solver="gurobi"`` and no license, or one too small for this problem; for the choice of genes as of
        :func:`falcon_sc.pp.select_genes`.
    FloatingPointError
        The training diverges: its loss is not finite. Nothing is written then.
    PermissionError
        `save_model`, `checkpoint` or `output` cannot be written.
    OSError
        `save_model` or `output` could be written before the run and not after it. Then `adata` holds the results, and the
        error has them as `error.adata`, and the fitted model as `error.model` if that is what could not be written.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> adata = fsc.datasets.pbmc68k_reduced()
    >>> fsc.tl.discover(adata, coarse_key="coarse", n_fine=10, max_epochs=5, progress_bar=False)
    >>> adata.obs["falcon_fine"].cat.categories.size
    10
    """
    keywords = {
        "n_neighbors": n_neighbors,
        "max_epochs": max_epochs,
        "batch_size": batch_size,
        "lr": lr,
        "relation_solver": relation_solver,
        "n_jobs": n_jobs,
    }
    _, result = run(
        adata,
        coarse_key,
        n_fine,
        fixed=fixed,
        layer=layer,
        values=values,
        use_rep=use_rep,
        n_top_genes=n_top_genes,
        batch_key=batch_key,
        dataset_key=dataset_key,
        config=config,
        keywords=keywords,
        device=device,
        progress_bar=progress_bar,
        rng=rng,
        key_added=key_added,
        save_model=save_model,
        checkpoint=checkpoint,
        output=output,
        copy=copy,
    )
    return result if copy else None
