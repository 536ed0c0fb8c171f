"""Where a run begins: labels and M from a start inside each coarse class, or random weights and a random M."""

from __future__ import annotations

import logging
import warnings
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.core import relations
from falcon_sc.core.start.consensus_start import Start, consensus_start
from falcon_sc.core.start.input import StartInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from falcon_sc.core.data.taxonomy import Taxonomy
    from falcon_sc.core.fitting.prepare import Prepared
    from falcon_sc.core.fitting.problem import Problem
    from falcon_sc.core.fitting.run import Run
    from falcon_sc.core.runtime.checkpoint import Checkpoint


logger = logging.getLogger(__name__)


def initialize(
    problem: Problem, prepared: Prepared, run: Run, rng: np.random.Generator, checkpoint: Checkpoint | None
) -> Start:
    """The start that the configuration names; kept in, and taken from, the checkpoint."""
    if run.config.start == "random":
        return Start(_random_relation(problem, run, rng))
    arrays = None if checkpoint is None else checkpoint.load_start()
    if arrays is not None:
        return Start(**arrays)
    start = _consensus(problem, prepared, run, rng, checkpoint)
    if checkpoint is not None:
        checkpoint.save_start({name: array for name, array in asdict(start).items() if array is not None})
    return start


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
    nearest mean in the space the network sees.
    """
    config, taxonomy, codes = run.config, problem.taxonomy, problem.codes
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
    )
    names = taxonomy.names[taxonomy.blocks[taxonomy.reference]]
    numbers = zip(names, start.relation.sum(axis=0).tolist(), strict=True)
    logger.info("start: fine classes in each coarse class: %s", ", ".join(f"{name} {n}" for name, n in numbers))
    if inside.all():
        return start
    assert start.labels is not None
    labels = np.empty(len(codes), dtype=np.int64)
    labels[inside] = start.labels
    labels[~inside] = _nearest_mean(prepared.space[inside], start.labels, prepared.space[~inside])
    return Start(_relation_of(labels, codes, taxonomy, n_fine=len(start.relation)), labels)


def _subset(start_input: StartInput, rows: NDArray[np.bool_]) -> StartInput:
    batch = None if start_input.batch is None else start_input.batch[rows]
    return StartInput(start_input.matrix[rows], start_input.kind, batch)


def _nearest_mean(Z: Any, labels: NDArray[np.int64], others: Any) -> NDArray[np.int64]:
    from sklearn.neighbors import NearestCentroid

    with warnings.catch_warnings():
        # a constant feature is no fault
        warnings.filterwarnings("ignore", "self.within_class_std_dev_ has", UserWarning)
        nearest: NDArray[np.int64] = NearestCentroid().fit(Z, labels).predict(others)
    return nearest.astype(np.int64)


def _relation_of(
    labels: NDArray[np.int64], codes: NDArray[np.int64], taxonomy: Taxonomy, n_fine: int
) -> NDArray[np.uint8]:
    """M of given labels: eq. 14 without the balance penalty."""
    shares = relations.label_shares(labels, codes, taxonomy.blocks, n_fine)
    return np.hstack([relations.solve(shares[:, block], 0.0) for block in taxonomy.blocks])
