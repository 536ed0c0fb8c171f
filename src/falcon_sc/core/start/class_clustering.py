"""Clustering one coarse class: its representations, the path of mixtures in each, and the labels at a chosen number."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.start.consensus import agreement, consensus_labels, extend
from falcon_sc.core.start.halves import better_half, consensus_of_halves, fall_into_forms, halves_differ
from falcon_sc.core.start.members import members
from falcon_sc.core.start.mixtures.merging import log_likelihoods
from falcon_sc.core.start.parallel import stop_if_unwanted
from falcon_sc.core.start.representation.class_representations import (
    ClassRepresentations,
    class_representations,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scipy import sparse

    from falcon_sc.core.start.input import Kind
    from falcon_sc.core.start.representation.contrast import Background


# Of mixtures in each representation, from other starts: with one, a number that is nearly as good as another comes and goes
# with the seed.
N_PATHS = 3
N_LANDMARKS = 2000  # cells of a consensus, at most: its time and memory grow with their square
N_COMPARED = 500  # of them, at most, in those of halves of the mixtures


@dataclass(frozen=True)
class ClassFit:
    """What was learned of a class.

    `representations`; and the mean `log_likelihood` of mixtures along `N_PATHS` paths in each representation or more, for each k
    of several that were asked for: (`N_PATHS`, r, K), None where there was but one.
    """

    representations: ClassRepresentations
    log_likelihood: np.ndarray | None

    def merged(self, k: int) -> np.ndarray | None:
        """The largest of the log-likelihoods at `k` in each representation, r; None where no path was asked for."""
        if self.log_likelihood is None:
            return None
        n = len(self.representations.contrasted_components()) or len(plain(self.representations))
        return np.asarray(self.log_likelihood[:, :, k - 1].reshape(-1, n).max(axis=0))


def fit_class(
    rows: np.ndarray | sparse.csr_matrix,
    kind: Kind,
    ks: Iterable[int],
    rng: np.random.Generator,
    *,
    batch: np.ndarray | None,
    background: Background | None,
    has_counts: bool,
    n_genes: int,
    max_cells: int,
) -> ClassFit:
    """Represent one coarse class (`rows`, n x genes), and say how well every k of `ks` fits it.

    The likelihoods are those in the contrasted representations (in the plain ones of an embedding): what varies in every coarse
    class alike is no reason to split one.
    """
    ks = list(ks)
    representations = class_representations(
        rows,
        kind,
        rng,
        batch=batch,
        background=background,
        has_counts=has_counts,
        n_genes=n_genes,
        max_cells=max(max_cells, ks[-1]),
    )
    return ClassFit(representations, paths(representations, kind, ks, rng) if len(ks) > 1 else None)


def paths(representations: ClassRepresentations, kind: Kind, ks: Iterable[int], rng: np.random.Generator) -> np.ndarray:
    """Mean log-likelihood (nats a cell) of mixtures along `N_PATHS` paths from other starts: (`N_PATHS`, r, K), as in `fit_class`."""
    ks = list(ks)
    scores = representations.contrasted_components() or [
        representations.components(*name) for name in plain(representations)
    ]
    learned = [X[representations.fit_cells] for X in scores]
    # as many curves as other coarse classes have, in which other normalizations are looked at as well
    times = len(representations.scores) if representations.own_scale and kind != "panel" else 1
    return log_likelihoods(N_PATHS * times * learned, ks, rng).reshape(N_PATHS, -1, len(ks))


def label_class(
    representations: ClassRepresentations,
    k: int,
    rng: np.random.Generator,
    *,
    n_repeats: int,
    equal_sizes: bool = False,
    merged_before: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Fine classes of one coarse class, int64 n, codes 0..k-1 by falling size, and the agreement on them, float32 n.

    A consensus of Gaussian and Student mixtures with k components (`members`) on `N_LANDMARKS` of the cells learned from;
    the others join through the models. Where halves of the mixtures differ there are twice as many, and
    where these fall into forms four times as many; and the groups of a half are taken where all mixtures agree clearly
    better with them than with those of the whole. `merged_before`: see `members` and `ClassFit.merged`.
    """
    n = len(next(iter(representations.scores.values())))
    if k == 1:
        return np.zeros(n, dtype=np.int64), np.ones(n, dtype=np.float32)

    vote = partial(members, representations, k, rng, n_repeats=n_repeats, equal_sizes=equal_sizes)
    first = vote(merged_before=merged_before)
    by_members = first.labels  # members x n
    compared = _spread(representations.fit_cells, max(N_COMPARED, k))
    for n_more, are_too_few in ((1, halves_differ), (2, fall_into_forms)):
        stop_if_unwanted()
        of_halves = consensus_of_halves(by_members[:, compared], k, rng)
        if not are_too_few(of_halves):
            break
        more = [vote(may_merge=first.merged).labels for _ in range(n_more)]
        by_members = np.concatenate([by_members, *more])
    landmarks = _spread(representations.fit_cells, max(N_LANDMARKS, k))
    stop_if_unwanted()
    consensus = consensus_labels(by_members[:, landmarks], k)
    labels = _of_all(consensus, landmarks, by_members)
    better = better_half(of_halves, labels[compared], by_members[:, compared])
    if better is not None:
        consensus, landmarks = of_halves[better], compared
        labels = _of_all(consensus, landmarks, by_members)
    return _by_falling_size(labels), agreement(consensus, by_members[:, landmarks], labels, by_members)


def _of_all(consensus: np.ndarray, landmarks: np.ndarray, by_members: np.ndarray) -> np.ndarray:
    """Groups of all cells, int64 n, from those of some of them."""
    labels = np.empty(by_members.shape[1], dtype=np.int64)
    labels[landmarks] = consensus
    others = np.setdiff1d(np.arange(len(labels)), landmarks)
    if len(others):
        labels[others] = extend(consensus, by_members[:, landmarks], by_members[:, others])
    return labels


def _spread(cells: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the cells, evenly spaced."""
    return cells if len(cells) <= most else cells[np.linspace(0, len(cells) - 1, most).astype(np.int64)]


def _by_falling_size(labels: np.ndarray) -> np.ndarray:
    """The same groups, renamed 0.. by falling size."""
    order = np.argsort(-np.bincount(labels), kind="stable")
    return np.asarray(np.argsort(order)[labels])
