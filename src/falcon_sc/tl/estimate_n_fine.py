"""How many fine classes to ask for."""

from __future__ import annotations

from importlib.metadata import version
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import check_adata, check_int, check_rng
from falcon_sc._labels import read_batch, read_labels, warn_missing
from falcon_sc._log import show_log
from falcon_sc._written import NUMBERS, check_free
from falcon_sc.core.config import FalconConfig
from falcon_sc.core.runtime import forks
from falcon_sc.core.start.parallel import n_threads
from falcon_sc.tl._estimates import MAX_PER_CLASS, estimate, totals
from falcon_sc.tl._inputs import check_choice, read_start
from falcon_sc.tl._params import plain

if TYPE_CHECKING:
    from anndata import AnnData

    from falcon_sc._kinds import Values


def estimate_n_fine(
    adata: AnnData,
    coarse_key: str,
    *,
    layer: str | None = None,
    values: Values | None = None,
    use_rep: str | None = None,
    batch_key: str | None = None,
    max_per_class: int = MAX_PER_CLASS,
    n_jobs: int | None = None,
    progress_bar: bool = True,
    rng: int | np.random.Generator | None = 0,
    key_added: str = "falcon_n_fine",
    copy: bool = False,
) -> AnnData | None:
    """Estimate how many fine classes there are inside each coarse class: those that supported splits make.

    Each coarse class is divided into a tree of splits, as :func:`falcon_sc.tl.discover` does it. A split is *supported* if
    clusters of one half of the molecules, read off the other half, and the clusterings behind its parts tell its sides
    apart: the mean of the two is above 0.62, or 0.72 without counts (1: without an error, 0: by chance). The estimate has
    the supported splits and those above them. *Stable* counts only splits that are supported, as are all above them.

    How deep people annotate cannot be seen in the cells, so look at :func:`falcon_sc.pl.n_fine` and
    :func:`falcon_sc.pl.tree`, and choose: :doc:`/choosing_n_fine` has the estimate against annotations.

    Parameters
    ----------
    adata
        Annotated data, n_obs x n_vars: raw counts or log-normalized values, dense or sparse, in memory or on disk
        (backed h5ad, or a dask array as of ``anndata.experimental.read_lazy``), which is read a few blocks of rows at a
        time: :doc:`/gpu_and_scale`.
    coarse_key
        Column of ``adata.obs`` with the coarse labels. Cells without a label (NA) are left out.
    layer
        Layer to read instead of ``adata.X``.
    values
        What the matrix holds, where what is recognized is wrong: see :func:`falcon_sc.tl.discover`. There are no counts
        to halve in continuous values, as in an embedding.
    use_rep
        Embedding in ``adata.obsm`` to use instead of genes. There are no counts to halve then: the cells are halved.
    batch_key
        Column of ``adata.obs``, e.g. the donor: genes are chosen across batches, and every batch is centered.
    max_per_class
        Largest number in a coarse class (ours); the tree has at most 9 leaves there, and at most one for every 20 cells.
    n_jobs
        Cores to take, on a machine that is shared, as in :func:`falcon_sc.tl.discover`.
    progress_bar
        Show a bar over the fits in the coarse classes.
    rng
        Seed or generator. The same seed gives the same numbers, whatever `n_jobs`.
    key_added
        Name of the entry of ``adata.uns``. Refused if anything but an earlier estimate is there.
    copy
        Work on a copy and return it.

    Returns
    -------
    None if ``copy=False``, else the copy. Sets the following field:

    ``adata.uns[key_added]`` : dict
        ``coarse_names`` (str) and ``sizes`` (int64, cells) of the coarse classes; for each of them ``stable`` and
        ``estimate`` (int64, the first never larger); ``support`` (float64, n_coarse x K): how far the split is supported that
        makes the second, third, ... class, NaN for the first and beyond the deepest; ``params``: plain scalars, with the totals
        ``n_fine`` and ``n_fine_stable``.

    Raises
    ------
    KeyError
        `coarse_key`, `layer`, `use_rep` or `batch_key` is not in `adata`.
    TypeError
        `max_per_class` or `n_jobs` is no int, or `rng` neither an int nor a generator.
    ValueError
        `max_per_class` below 1; `n_jobs` neither -1 nor above 0;
        NaN, inf or negative values in the matrix, or values that cannot be what `values` says; `use_rep` with `layer`
        or `values`; duplicate cell names; `adata` is empty.
    ImportError
        A matrix on disk, and no dask (the extra ``disk``).

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> adata = fsc.datasets.pbmc68k_reduced()
    >>> fsc.tl.estimate_n_fine(adata, "coarse", max_per_class=6, progress_bar=False)
    >>> found = adata.uns["falcon_n_fine"]
    >>> bool((found["stable"] <= found["estimate"]).all())
    True
    """
    show_log()
    check_adata(adata, copy=copy, genes=use_rep is None)
    check_free(adata, key_added, NUMBERS)
    check_choice(use_rep, layer, values)
    max_per_class = check_int(max_per_class, "max_per_class")
    labels = read_labels(adata, coarse_key, "coarse_key")
    batch = None if batch_key is None else read_batch(adata, batch_key)
    check_rng(rng)
    n_threads(n_jobs)  # refuses what is no number of threads

    forks.do_without_lost_threads()
    adata = adata.copy() if copy else adata  # first: where there is no memory for it, no work is lost
    start, assumed = read_start(adata, known=labels.known, layer=layer, use_rep=use_rep, batch=batch, values=values)
    warn_missing(labels, coarse_key, "coarse_key", "they have no say in the numbers")

    config = FalconConfig(n_jobs=n_jobs)
    found = estimate(start, labels, config, rng=rng, progress_bar=progress_bar, max_per_class=max_per_class)
    names, sizes = labels.names, labels.sizes
    about: dict[str, Any] = {"coarse_key": coarse_key, "assumed": assumed, "use_rep": use_rep, "layer": layer}
    about |= {
        "values": values,
        "panel": start.kind == "panel",
        "batch_key": batch_key,
        "max_per_class": max_per_class,
        "falcon_sc": version("falcon-sc"),
    }
    if isinstance(rng, Integral):
        about["seed"] = int(rng)
    adata.uns[key_added] = {
        "coarse_names": names.astype(np.str_),
        "sizes": sizes.astype(np.int64),
        "stable": found.stable,
        "estimate": found.estimate,
        "support": found.support,
        "params": plain(about | totals(found)),
    }
    return adata if copy else None
