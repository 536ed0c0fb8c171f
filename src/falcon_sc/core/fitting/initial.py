"""Where a run begins: labels and M from a start inside each coarse class, or random weights and a random M."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.core import relations
from falcon_sc.core.data.labels import in_a_line
from falcon_sc.core.start.consensus_start import consensus_start
from falcon_sc.core.start.input import StartInput
from falcon_sc.core.start.start import Start
from falcon_sc.core.start.tree.forest import Tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from falcon_sc.core.data.taxonomy import Taxonomy
    from falcon_sc.core.fitting.prepare import Prepared
    from falcon_sc.core.fitting.problem import Problem
    from falcon_sc.core.fitting.run import Run
    from falcon_sc.core.runtime.checkpoint import Checkpoint


logger = logging.getLogger(__name__)

START_ARRAYS = ("relation", "labels", "agreement", "latents", "leaves")


def initialize(
    problem: Problem, prepared: Prepared, run: Run, rng: np.random.Generator, checkpoint: Checkpoint | None
) -> Start:
    """The start that the configuration names; kept in, and taken from, the checkpoint."""
    if run.config.start == "random":
        return Start(_random_relation(problem, run, rng))
    arrays = None if checkpoint is None else checkpoint.load_start()
    if arrays is not None:
        return start_of(arrays)
    start = _consensus(problem, prepared, run, rng, checkpoint)
    if checkpoint is not None:
        checkpoint.save_start(arrays_of(start))
    return start


def arrays_of(start: Start) -> dict[str, NDArray[Any]]:
    """The arrays of a start, those of its tree after a "tree/"."""
    arrays = {name: getattr(start, name) for name in START_ARRAYS}
    tree = {} if start.tree is None else {f"tree/{name}": array for name, array in vars(start.tree).items()}
    return {name: array for name, array in arrays.items() if array is not None} | tree


def start_of(arrays: Mapping[str, NDArray[Any]]) -> Start:
    """The inverse of :func:`arrays_of`."""
    tree = {name.removeprefix("tree/"): array for name, array in arrays.items() if name.startswith("tree/")}
    own = {name: array for name, array in arrays.items() if name in START_ARRAYS}
    return Start(**own, tree=Tree(**tree) if tree else None)


def _random_relation(problem: Problem, run: Run, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Algorithm A1, first line; E1: one for each data set. Numbers that were given are kept (table O1)."""
    if not isinstance(problem.budget, int):
        return np.repeat(np.eye(len(problem.budget), dtype=np.uint8), problem.budget, axis=0)
    blocks = [
        relations.random_relation(problem.budget, b.stop - b.start, run.config.lambda_M, rng)
        for b in problem.taxonomy.blocks
    ]
    return np.hstack(blocks)


def _consensus(
    problem: Problem, prepared: Prepared, run: Run, rng: np.random.Generator, checkpoint: Checkpoint | None
) -> Start:
    """Labels inside each coarse class of one data set, carried over to the samples of the others.

    Several data sets share their fine classes but not their coarse ones. The one with the most coarse classes
    says most about the fine classes: the start is made there, and samples of the others take the class of the
    nearest mean in the space the network sees. What most of a class are then called in their own data set is its M,
    and a second pass takes the nearest among the children of the coarse class that a sample has.
    """
    from sklearn.metrics import pairwise_distances_argmin

    config, taxonomy, codes = run.config, problem.taxonomy, problem.codes
    has_tree = len(taxonomy.blocks) == 1 and config.prior != "uniform" and config.restrict_to_coarse
    inside = taxonomy.dataset_of_column[codes] == taxonomy.reference  # (N,)
    start = consensus_start(
        prepared.start_input if inside.all() else _subset(prepared.start_input, inside),
        codes[inside] - taxonomy.blocks[taxonomy.reference].start,
        problem.budget,
        fixed=problem.fixed,
        rng=rng,
        n_jobs=config.n_jobs,
        progress_bar=run.progress_bar,
        storage=checkpoint,
        n_genes=config.start_n_genes,
        max_cells=config.start_max_cells,
        n_repeats=config.start_n_repeats,
        equal_sizes=config.prior == "uniform",
        leaves_per_class=config.leaves_per_class if has_tree else 1,
    )
    names = taxonomy.names[taxonomy.blocks[taxonomy.reference]]
    numbers = zip(names, start.relation.sum(axis=0).tolist(), strict=True)
    logger.info(
        "start: fine classes in each coarse class: %s", ", ".join(f"{in_a_line(name)} {n}" for name, n in numbers)
    )
    if inside.all():
        return start
    assert start.labels is not None
    labels = np.empty(len(codes), dtype=np.int64)
    labels[inside] = start.labels
    means = _means(prepared.space[inside], start.labels)
    labels[~inside] = pairwise_distances_argmin(prepared.space[~inside], means)
    relation = _relation_of(labels, codes, taxonomy, n_fine=len(means))
    for column in np.unique(codes[~inside]):
        rows, children = np.flatnonzero(codes == column), np.flatnonzero(relation[:, column])
        labels[rows] = children[pairwise_distances_argmin(prepared.space[rows], means[children])]
    return Start(relation, labels)


def _subset(start_input: StartInput, rows: NDArray[np.bool_]) -> StartInput:
    batch = None if start_input.batch is None else start_input.batch[rows]
    return StartInput(start_input.matrix[rows], start_input.kind, batch)


def _means(Z: Any, labels: NDArray[np.int64]) -> NDArray[Any]:
    """Mean of each class, (K_F, d)."""
    return np.stack([np.asarray(Z[labels == own].mean(axis=0)).ravel() for own in np.unique(labels)])


def _relation_of(
    labels: NDArray[np.int64], codes: NDArray[np.int64], taxonomy: Taxonomy, n_fine: int
) -> NDArray[np.uint8]:
    """M of given labels: eq. 14 without the balance penalty."""
    shares = relations.label_shares(labels, codes, taxonomy.blocks, n_fine)
    return np.hstack([relations.solve(shares[:, block], 0.0) for block in taxonomy.blocks])
