"""A fit from one end to the other: the input, the start, the neighbors, the training, and the predictions."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from falcon_sc.core import relations
from falcon_sc.core.data.budget import check_shared_out
from falcon_sc.core.data.neighbors import check_search, neighbors_within_classes
from falcon_sc.core.data.rows import let_go
from falcon_sc.core.fitting.initial import initialize
from falcon_sc.core.fitting.prepare import prepare
from falcon_sc.core.runtime import distributed
from falcon_sc.core.runtime.checkpoint import Checkpoint, fingerprint
from falcon_sc.core.runtime.threads import at_most_threads
from falcon_sc.core.state.calibration import calibrate
from falcon_sc.core.state.fitted import Fitted
from falcon_sc.core.state.revival import revive_empty_classes
from falcon_sc.core.training.data import TrainingData
from falcon_sc.core.training.networks import build_classifier, build_mlp_classifier
from falcon_sc.core.training.trainer import Trainer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from falcon_sc.core.fitting.prepare import Prepared
    from falcon_sc.core.fitting.problem import Problem
    from falcon_sc.core.fitting.run import Run
    from falcon_sc.core.start.consensus_start import Start
    from falcon_sc.core.training.data import Trained

logger = logging.getLogger(__name__)

_ROWS = 8192  # of the probabilities that are put in order at once


@dataclass(frozen=True)
class Outcome:
    """What a fit ends with; N samples."""

    fitted: Fitted
    proba: NDArray[np.float32]  # (N, K_F)
    confidence: NDArray[np.float32]  # (N,)
    embedding: NDArray[np.float32]  # (N, n_hidden), last hidden layer
    start_labels: NDArray[np.int64] | None  # (N,), none for a random start


def fit(problem: Problem, run: Run) -> Outcome:
    """Solve a problem."""
    check_shared_out(problem.fixed, run.config.start)
    check_search(problem.codes)
    with at_most_threads(run.config.n_jobs):
        return _fit(problem, run)


def _fit(problem: Problem, run: Run) -> Outcome:
    config, codes = run.config, problem.codes
    is_leader = distributed.rank() == 0
    start_rng, input_rng, train_rng = distributed.share(lambda: np.random.default_rng(run.rng).spawn(3))
    prepared = prepare(problem, config, run.device, input_rng)
    checkpoint = _open_checkpoint(problem, prepared, run)
    start = distributed.share(lambda: initialize(problem, prepared, run, start_rng, checkpoint))
    let_go(prepared.start_input.matrix)  # from here on the method reads samples only
    # in a matrix, neighbors are those of the class-local representation, if the start made one
    space = start.latents if prepared.is_matrix and start.latents is not None else prepared.space
    near = distributed.share(
        lambda: neighbors_within_classes(
            space,
            codes,
            config.n_neighbors,
            metric=config.metric,
            device=run.device,
            n_jobs=config.n_jobs,
            rng=input_rng,
        )
    )
    logger.info("neighbors: %d in each of %d coarse classes", config.n_neighbors, problem.taxonomy.n_coarse)
    data = TrainingData(prepared.samples, codes, near.indices, problem.taxonomy, start.labels, run.views)
    trainer = _trainer(problem, data, start, run, train_rng)
    trained = trainer.run(checkpoint=checkpoint if is_leader else None, progress_bar=run.progress_bar and is_leader)
    return _predict(_fitted(problem, prepared, run, trained), prepared, codes, start)


def _open_checkpoint(problem: Problem, prepared: Prepared, run: Run) -> Checkpoint | None:
    folder = run.checkpoint
    if folder is None:
        return None
    start = prepared.start_input
    data = (prepared.space, problem.codes, np.asarray(problem.budget), problem.fixed, start.kind, start.batch)
    return distributed.share(lambda: Checkpoint(folder, fingerprint(*data, *run.identity)))


def _trainer(problem: Problem, data: TrainingData, start: Start, run: Run, rng: np.random.Generator) -> Trainer:
    n_fine = len(start.relation)
    weights = torch.Generator().manual_seed(int(rng.integers(2**63)))
    if run.network is None:
        classifier = build_mlp_classifier(data.samples.n_features, n_fine, run.config, weights)
    else:
        classifier = build_classifier(run.network, n_fine, weights)
    return Trainer(
        data,
        classifier.to(run.device),
        start.relation,
        run.config,
        torch.Generator(run.device).manual_seed(int(rng.integers(2**63))),
        view_seed=int(rng.integers(2**63)),
        relation_is_known=problem.numbers_are_known,
    )


def _fitted(problem: Problem, prepared: Prepared, run: Run, trained: Trained) -> Fitted:
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
    )


def _predict(fitted: Fitted, prepared: Prepared, codes: NDArray[np.int64], start: Start) -> Outcome:
    """Predictions for the samples, with no fine class of the start empty, and the fine classes in their order.

    The network passes over the samples once; what changes afterwards, bias and temperature, is the head's.
    """
    n_fine = len(fitted.relation)
    embedding = fitted.embed(prepared.samples)
    proba = fitted.probabilities(embedding, codes)
    if start.labels is not None and fitted.config.restrict_to_coarse:
        sizes = np.bincount(start.labels, minlength=n_fine)
        revived = revive_empty_classes(fitted.classifier, embedding, codes, fitted.relation, sizes)
        if revived:
            parents = [str(fitted.taxonomy.names[column]) for column in np.nonzero(fitted.relation[revived])[1]]
            logger.warning(
                "training left %d fine classes empty, which got the samples nearest to them; of each coarse class: %s",
                len(revived),
                ", ".join(f"{name} {n}" for name, n in Counter(parents).items()),
            )
            del proba  # the largest array there is beside the samples: never two of it
            proba = fitted.probabilities(embedding, codes)
    if start.agreement is not None:
        calibrate(fitted.classifier, proba, start.agreement)
        del proba
        proba = fitted.probabilities(embedding, codes)
    labels, confidence = proba.argmax(axis=1), proba.max(axis=1)
    if start.agreement is not None:
        # of a label that training changed, the clusterings back at most what they did not give the other one
        confidence = np.where(labels == start.labels, start.agreement, 1 - start.agreement)
    order = fitted.order_by_size(np.bincount(labels, minlength=n_fine))
    start_labels = None if start.labels is None else np.argsort(order)[start.labels]
    for begin in range(0, len(proba), _ROWS):
        rows = slice(begin, begin + _ROWS)
        proba[rows] = proba[rows, order]
    return Outcome(fitted, proba, confidence, embedding, start_labels)
