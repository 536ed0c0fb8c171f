"""The label-free start: how many fine classes in each coarse class, and which cell in which, before any training.

For every coarse class: class-local views (`views`), tied mixtures over k in each view (`mixture`); over all coarse
classes: the allocation of the n_fine classes (`allocation`); then a consensus of the views (`consensus`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from falcon_sc.core import allocation
from falcon_sc.core.consensus import agreement, consensus_labels, extend
from falcon_sc.core.mixture import Sweep, sweep_mixtures
from falcon_sc.core.normalisations import Kind, look_like_counts, pseudo_counts
from falcon_sc.core.views import CONTINUOUS_VIEWS, COUNT_VIEWS, ClassViews, class_views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StartInput:
    """What the start clusters.

    Parameters
    ----------
    matrix
        n x genes, dense or sparse (CSR is used as it is), all genes; or n x d, an embedding.
    kind
        "counts": raw counts. "lognorm": log1p of counts scaled per cell. "embedding": any continuous columns.
    batch
        Donor or batch codes, int, n; None where there is one.
    """

    matrix: np.ndarray | sparse.csr_matrix
    kind: Kind
    batch: np.ndarray | None = None


@dataclass(frozen=True)
class Start:
    """Initial fine labels and what they rest on.

    `labels`: int64 n, codes 0..n_fine-1 ordered by coarse class, then by falling size. `n_per_class`: int64 K_C.
    `latents`: float32 n x 45 (30 without counts), the class-local representation for neighbours inside a class; None
    where n_fine equals the number of coarse classes and nothing was fitted. `curves`: arrays behind the allocation,
    NaN beyond a class's largest k: "log_likelihood" (K_C, views, K), "agreement" (K_C, K), "eigenvalue_ratio"
    (K_C, K - 1), "k_max" (K_C) and the counts of the rules "n_likelihood", "n_eigenvalue", "n_agreement" (K_C).
    """

    labels: np.ndarray
    n_per_class: np.ndarray
    latents: np.ndarray | None
    curves: dict[str, np.ndarray]


@dataclass(frozen=True)
class _ClassFit:
    views: ClassViews
    sweeps: tuple[Sweep, ...]
    agreement: np.ndarray


def consensus_start(
    start_input: StartInput,
    coarse: np.ndarray,
    n_fine: int | Sequence[int] | np.ndarray,
    *,
    rng: int | np.random.Generator | None,
    n_jobs: int | None = None,
    progress_bar: bool = False,
    n_genes: int = 2000,
    max_cells: int = 3000,
) -> Start:
    """Cluster the cells inside every coarse class into `n_fine` classes altogether, without any fine label.

    Parameters
    ----------
    start_input
        The cells.
    coarse
        Codes 0..K_C-1, int, n; every code occurs.
    n_fine
        Total number of fine classes, or their number per coarse class (K_C).
    rng
        Seed or generator; the same one gives the same labels, whatever `n_jobs`.
    n_jobs
        Coarse classes worked on at once; None: one a core.
    progress_bar
        Show a bar over coarse classes.
    n_genes
        Genes chosen inside each coarse class (the paper's 2000).
    max_cells
        Cells of a class the models are fitted on; the others follow through the models (ours).

    Raises
    ------
    ValueError
        When `n_fine` is smaller than the number of coarse classes or larger than the number of cells.
    """
    sizes = np.bincount(coarse)
    total, given = _requested(n_fine, sizes)
    if total == len(sizes):
        return Start(coarse.astype(np.int64), np.ones(len(sizes), dtype=np.int64), None, {})
    matrix = start_input.matrix
    if sparse.issparse(matrix):
        matrix = matrix.tocsr()
    has_counts = start_input.kind == "counts" or (
        start_input.kind == "lognorm" and look_like_counts(pseudo_counts(matrix[: min(2000, len(coarse))]))
    )
    k_max = np.minimum(largest_k(sizes, total), max_cells)
    members = [np.flatnonzero(coarse == c) for c in range(len(sizes))]
    generators = np.random.default_rng(rng).spawn(len(sizes))

    def fit(c: int) -> _ClassFit:
        ks = range(1, int(k_max[c]) + 1) if given is None else [int(given[c])]
        return _fit_class(
            matrix[members[c]],
            start_input.kind,
            ks,
            generators[c],
            batch=None if start_input.batch is None else start_input.batch[members[c]],
            has_counts=has_counts,
            n_genes=n_genes,
            max_cells=max_cells,
        )

    fits = _over_classes(fit, sizes, n_jobs=n_jobs, progress_bar=progress_bar, description="start")
    if given is None:
        n_per_class, curves = _allocate(fits, sizes, k_max, total)
    else:
        n_per_class, curves = given, {}

    def label(c: int) -> np.ndarray:
        return _label_class(fits[c], int(n_per_class[c]))

    local = _over_classes(label, sizes, n_jobs=n_jobs, progress_bar=False, description="consensus")
    labels = np.empty(len(coarse), dtype=np.int64)
    latents = np.empty((len(coarse), max(f.views.latent().shape[1] for f in fits)), dtype=np.float32)
    offsets = np.cumsum(n_per_class) - n_per_class
    for c, cells in enumerate(members):
        labels[cells] = offsets[c] + _by_falling_size(local[c])
        latents[cells] = fits[c].views.latent()
    return Start(labels, n_per_class, latents, curves)


def largest_k(sizes: np.ndarray, n_fine: int) -> np.ndarray:
    """Largest number of fine classes considered per coarse class; the sum is at least `n_fine`.

    min(n / 4, max(8, min(K_F - K_C + 1, 1.6 K_F max(share of cells, 1 / K_C) + 4))), raised where that is too few.
    """
    share = np.maximum(sizes / sizes.sum(), 1 / len(sizes))
    wanted = np.maximum(8, np.minimum(n_fine - len(sizes) + 1, 1.6 * n_fine * share + 4))
    k_max = np.maximum(1, np.minimum(sizes // 4, wanted)).astype(np.int64)
    while k_max.sum() < n_fine:
        k_max = np.minimum(sizes, np.ceil(1.25 * k_max).astype(np.int64))
    return np.asarray(k_max)


def _requested(n_fine: int | Sequence[int] | np.ndarray, sizes: np.ndarray) -> tuple[int, np.ndarray | None]:
    """Total and, where given, the numbers per coarse class; refused where they do not fit the cells."""
    if np.ndim(n_fine) == 0:
        total = int(np.asarray(n_fine))
        if not len(sizes) <= total <= sizes.sum():
            msg = f"n_fine is {total}: give between {len(sizes)} (coarse classes) and {sizes.sum()} (cells)"
            raise ValueError(msg)
        return total, None
    given = np.asarray(n_fine, dtype=np.int64)
    if given.shape != sizes.shape:
        msg = f"n_fine has shape {given.shape}: give one number for each of the {len(sizes)} coarse classes"
        raise ValueError(msg)
    wrong = np.flatnonzero((given < 1) | (given > sizes))
    if len(wrong):
        c = int(wrong[0])
        msg = f"n_fine asks for {given[c]} fine classes in coarse class {c}, which has {sizes[c]} cells"
        raise ValueError(msg)
    return int(given.sum()), given


def _fit_class(
    rows: np.ndarray | sparse.csr_matrix,
    kind: Kind,
    ks: Iterable[int],
    rng: np.random.Generator,
    *,
    batch: np.ndarray | None,
    has_counts: bool,
    n_genes: int,
    max_cells: int,
) -> _ClassFit:
    views = class_views(
        rows, kind, rng, batch=batch, has_counts=has_counts, n_genes=n_genes, max_cells=max_cells
    )
    names = _view_names(views)
    counts = [k for k in ks if k <= len(views.fit_cells)]
    if counts == [1]:
        return _ClassFit(views, (), np.zeros(1))
    sweeps = tuple(sweep_mixtures(views.view(name, d)[views.fit_cells], counts, rng) for name, d in names)
    pairs = [(a, b) for a, b in combinations(range(len(names)), 2) if names[a][1] == names[b][1]]
    agreed = [
        np.mean([agreement(sweeps[a].labels[i], sweeps[b].labels[i]) for a, b in pairs]) for i in range(len(counts))
    ]
    return _ClassFit(views, sweeps, np.asarray(agreed))


def _view_names(views: ClassViews) -> tuple[tuple[str, int], ...]:
    return COUNT_VIEWS if "pr" in views.scores else CONTINUOUS_VIEWS


def _allocate(
    fits: Sequence[_ClassFit], sizes: np.ndarray, k_max: np.ndarray, n_fine: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    n_views = max(len(f.sweeps) for f in fits)
    longest = int(k_max.max())
    likelihood = np.full((len(fits), n_views, longest), np.nan)
    agreed = np.full((len(fits), longest), np.nan)
    ratio = np.full((len(fits), longest - 1), np.nan)
    for c, fit in enumerate(fits):
        k = int(k_max[c])
        likelihood[c, :, :k] = [s.log_likelihood for s in fit.sweeps] if fit.sweeps else 0
        agreed[c, :k] = fit.agreement
        ratio[c, : k - 1] = allocation.eigenvalue_gains(fit.views.eigenvalues, fit.views.null_eigenvalues, k - 1)

    def allocate(gains: Sequence[np.ndarray]) -> np.ndarray:
        return allocation.largest_gains([allocation.non_increasing(g) for g in gains], n_fine - len(fits))

    classes = range(len(fits))
    gains = [allocation.likelihood_gains(likelihood[c, :, : k_max[c]], sizes[c]) for c in classes]
    by_view = [allocate([g[v] for g in gains]) for v in range(n_views)]
    rules = {
        "n_likelihood": allocation.vote(by_view, n_fine, k_max),
        "n_eigenvalue": allocate([ratio[c, : k_max[c] - 1] for c in classes]),
        "n_agreement": allocate([allocation.agreement_gains(agreed[c, : k_max[c]], sizes[c]) for c in classes]),
    }
    curves = {"log_likelihood": likelihood, "agreement": agreed, "eigenvalue_ratio": ratio, "k_max": k_max, **rules}
    return allocation.vote(list(rules.values()), n_fine, k_max), curves


def _label_class(fit: _ClassFit, k: int) -> np.ndarray:
    """Consensus of the views with k classes, on the cells learned from; the others join through the models."""
    views = fit.views
    n = len(next(iter(views.scores.values())))
    if k == 1:
        return np.zeros(n, dtype=np.int64)
    index = int(np.flatnonzero(fit.sweeps[0].ks == k)[0])
    of_fit_cells = np.stack([sweep.labels[index] for sweep in fit.sweeps])
    labels = np.empty(n, dtype=np.int64)
    labels[views.fit_cells] = consensus_labels(of_fit_cells, k)
    others = np.setdiff1d(np.arange(n), views.fit_cells)
    if len(others):
        predicted = [
            sweep.mixtures[index].predict(views.view(name, d)[others])
            for sweep, (name, d) in zip(fit.sweeps, _view_names(views), strict=True)
        ]
        labels[others] = extend(labels[views.fit_cells], of_fit_cells, np.stack(predicted))
    return labels


def _by_falling_size(labels: np.ndarray) -> np.ndarray:
    """The same groups, renamed 0.. by falling size."""
    order = np.argsort(-np.bincount(labels), kind="stable")
    return np.argsort(order)[labels]


def _over_classes[T](
    task: Callable[[int], T], sizes: np.ndarray, *, n_jobs: int | None, progress_bar: bool, description: str
) -> list[T]:
    """`task` for every coarse class, large ones first; one BLAS thread each, so that threads change no result."""
    from joblib import Parallel, delayed
    from threadpoolctl import threadpool_limits
    from tqdm.auto import tqdm

    order = np.argsort(-sizes, kind="stable")
    with threadpool_limits(limits=1):
        jobs = Parallel(n_jobs=-1 if n_jobs is None else n_jobs, prefer="threads", return_as="generator")
        running = jobs(delayed(task)(int(c)) for c in order)
        done = list(tqdm(running, total=len(sizes), desc=description, disable=not progress_bar, unit="class"))
    result: dict[int, T] = dict(zip(order.tolist(), done, strict=True))
    return [result[c] for c in range(len(sizes))]
