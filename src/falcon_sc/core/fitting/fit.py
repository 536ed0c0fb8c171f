"""A fit from one end to the other: the input, the start, the neighbors, the training, and the predictions."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from falcon_sc.core import relations
from falcon_sc.core.data.budget import check_shared_out
from falcon_sc.core.data.neighbors import check_search, neighbors_within_classes
from falcon_sc.core.data.rows import let_go
from falcon_sc.core.fitting.initial import initialize
from falcon_sc.core.fitting.outcome import predictions
from falcon_sc.core.fitting.prepare import prepare
from falcon_sc.core.runtime import distributed
from falcon_sc.core.runtime.checkpoint import Checkpoint, fingerprint
from falcon_sc.core.runtime.surroundings import undisturbed
from falcon_sc.core.runtime.threads import at_most_threads
from falcon_sc.core.state.fitted import Fitted
from falcon_sc.core.training.data import TrainingData
from falcon_sc.core.training.networks import build_classifier, build_mlp_classifier
from falcon_sc.core.training.trainer import Trainer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from falcon_sc.core.fitting.outcome import Outcome
    from falcon_sc.core.fitting.prepare import Prepared
    from falcon_sc.core.fitting.problem import Problem
    from falcon_sc.core.fitting.run import Run
    from falcon_sc.core.start.start import Start
    from falcon_sc.core.training.data import Trained

logger = logging.getLogger(__name__)


@undisturbed()
def fit(problem: Problem, run: Run) -> Outcome:
    """Solve a problem."""
    check_shared_out(problem.fixed, run.config.start)
    check_search(problem.codes)
    with at_most_threads(run.config.n_jobs):
        return _fit(problem, run)


def _fit(problem: Problem, run: Run) -> Outcome:
    start_rng, input_rng, train_rng = distributed.share(lambda: np.random.default_rng(run.rng).spawn(3))
    prepared = prepare(problem, run.config, run.device, input_rng)
    checkpoint = _open_checkpoint(problem, prepared, run)
    return learn(
        problem,
        prepared,
        # no variable holds it here: `learn` lets go what is not needed any more, of ten million samples gigabytes
        distributed.share(lambda: initialize(problem, prepared, run, start_rng, checkpoint)),
        run,
        near_rng=input_rng,
        train_rng=train_rng,
        checkpoint=checkpoint,
    )


def learn(
    problem: Problem,
    prepared: Prepared,
    start: Start,
    run: Run,
    *,
    near_rng: np.random.Generator,
    train_rng: np.random.Generator,
    checkpoint: Checkpoint | None = None,
) -> Outcome:
    """What follows a start: the neighbors, the training, and the predictions."""
    config, codes = run.config, problem.codes
    is_leader = distributed.rank() == 0
    let_go(prepared.start_input.matrix)  # from here on the method reads samples only
    neighbors = distributed.share(lambda: _neighbors(prepared, start, codes, run, near_rng))
    logger.info("neighbors: %d in each of %d coarse classes", config.n_neighbors, problem.taxonomy.n_coarse)
    start = replace(start, latents=None)
    data = TrainingData(
        prepared.samples, codes, neighbors, problem.taxonomy, start.output_labels, run.views, start.class_of_output
    )
    del neighbors
    trainer = _trainer(problem, data, start, run, train_rng)
    del data
    trained = trainer.run(checkpoint=checkpoint if is_leader else None, progress_bar=run.progress_bar and is_leader)
    del trainer
    return predictions(_fitted(problem, prepared, run, trained, start), prepared, codes, start)


def _neighbors(
    prepared: Prepared, start: Start, codes: NDArray[np.int64], run: Run, rng: np.random.Generator
) -> NDArray[np.int64 | np.int32]:
    """Neighbors of each sample, (N, L), in as few bytes as hold them: beside the samples they are the largest there is.

    In a matrix they are those of the class-local representation, if the start made one.
    """
    config = run.config
    space = start.latents if prepared.is_matrix and start.latents is not None else prepared.space
    indices = neighbors_within_classes(
        space, codes, config.n_neighbors, metric=config.metric, device=run.device, n_jobs=config.n_jobs, rng=rng
    ).indices
    return indices.astype(np.int32) if len(codes) <= np.iinfo(np.int32).max else indices


def _open_checkpoint(problem: Problem, prepared: Prepared, run: Run) -> Checkpoint | None:
    folder = run.checkpoint
    if folder is None:
        return None
    start = prepared.start_input
    data = (prepared.space, problem.codes, np.asarray(problem.budget), problem.fixed, start.kind, start.batch)
    return distributed.share(lambda: Checkpoint(folder, fingerprint(*data, *run.identity)))


def _trainer(problem: Problem, data: TrainingData, start: Start, run: Run, rng: np.random.Generator) -> Trainer:
    relation = start.relation if start.class_of_output is None else start.relation[start.class_of_output]
    n_fine = len(relation)
    weights = torch.Generator().manual_seed(int(rng.integers(2**63)))
    if run.network is None:
        classifier = build_mlp_classifier(data.samples.n_features, n_fine, run.config, weights)
    else:
        classifier = build_classifier(run.network, n_fine, weights)
    return Trainer(
        data,
        classifier.to(run.device),
        relation,
        run.config,
        torch.Generator(run.device).manual_seed(int(rng.integers(2**63))),
        view_seed=int(rng.integers(2**63)),
        relation_is_known=problem.numbers_are_known,
    )


def _fitted(problem: Problem, prepared: Prepared, run: Run, trained: Trained, start: Start) -> Fitted:
    return Fitted(
        config=run.config,
        device=run.device,
        n_features=prepared.n_features,
        feature_names=None,
        projection=prepared.projection,
        classifier=trained.classifier,
        views=run.views,
        taxonomy=problem.taxonomy,
        relation=trained.relation,
        history=trained.history,
        solver=relations.solver_name(run.config.relation_solver),
        own_network=run.network is not None,
        class_of_output=start.class_of_output,
    )
