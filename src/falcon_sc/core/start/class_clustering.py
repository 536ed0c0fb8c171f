"""Clustering one coarse class: its representations, the path of mixtures in each, and the labels at a chosen number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.start.consensus import agreement, consensus_labels, extend
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


@dataclass(frozen=True)
class ClassFit:
    """What was learned of a class.

    `representations`; and the mean `log_likelihood` of mixtures in each representation, `N_PATHS` times or more (r, K), for each k
    of several that were asked for, None where there was but one.
    """

    representations: ClassRepresentations
    log_likelihood: np.ndarray | None


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
    if len(ks) == 1:
        return ClassFit(representations, None)
    scores = representations.contrasted_components() or [
        representations.components(*name) for name in plain(representations)
    ]
    learned = [X[representations.fit_cells] for X in scores]
    # as many curves as other coarse classes have, in which other normalizations are looked at as well
    n_paths = N_PATHS * (len(representations.scores) if representations.own_scale and kind != "panel" else 1)
    return ClassFit(representations, log_likelihoods(n_paths * learned, ks, rng))


def label_class(
    representations: ClassRepresentations,
    k: int,
    rng: np.random.Generator,
    *,
    n_repeats: int,
    equal_sizes: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Fine classes of one coarse class, int64 n, codes 0..k-1 by falling size, and the agreement on them, float32 n.

    A consensus of Gaussian and Student mixtures with k components (`members`) on `N_LANDMARKS` of the cells learned from;
    the others join through the models.
    """
    n = len(next(iter(representations.scores.values())))
    if k == 1:
        return np.zeros(n, dtype=np.int64), np.ones(n, dtype=np.float32)
    clusterings = members(representations, k, rng, n_repeats=n_repeats, equal_sizes=equal_sizes)
    by_members = np.concatenate([mixture.predict(scores[None]) for scores, mixture in clusterings])  # members x n
    landmarks = _spread(representations.fit_cells, max(N_LANDMARKS, k))
    of_landmarks = by_members[:, landmarks]
    stop_if_unwanted()
    consensus = consensus_labels(of_landmarks, k)
    labels = np.empty(n, dtype=np.int64)
    labels[landmarks] = consensus
    others = np.setdiff1d(np.arange(n), landmarks)
    if len(others):
        labels[others] = extend(consensus, of_landmarks, by_members[:, others])
    return _by_falling_size(labels), agreement(consensus, of_landmarks, labels, by_members)


def _spread(cells: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the cells, evenly spaced."""
    return cells if len(cells) <= most else cells[np.linspace(0, len(cells) - 1, most).astype(np.int64)]


def _by_falling_size(labels: np.ndarray) -> np.ndarray:
    """The same groups, renamed 0.. by falling size."""
    order = np.argsort(-np.bincount(labels), kind="stable")
    return np.asarray(np.argsort(order)[labels])
