"""A fit from one end to the other: the start, the neighbours, the training, and the predictions for its samples."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from falcon_sc.core import relations
from falcon_sc.core.data.neighbors import neighbors_within_classes
from falcon_sc.core.fitting.initial import initialize
from falcon_sc.core.fitting.inputs import prepare
from falcon_sc.core.runtime import distributed
from falcon_sc.core.runtime.checkpoint import Checkpoint, fingerprint
from falcon_sc.core.state.calibration import calibrate
from falcon_sc.core.state.fitted import Fitted
from falcon_sc.core.state.revival import revive_empty_classes
from falcon_sc.core.training.networks import build_classifier, build_mlp_classifier
from falcon_sc.core.training.trainer import Trainer, TrainingData

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import nn

    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.data.batches import Views
    from falcon_sc.core.data.taxonomy import Taxonomy
    from falcon_sc.core.fitting.initial import Initial
    from falcon_sc.core.fitting.inputs import Inputs
    from falcon_sc.core.start.input import StartInput

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """How to fit; the arguments of :class:`falcon_sc.Falcon`."""

    config: FalconConfig
    device: torch.device
    rng: int | np.random.Generator | None
    network: nn.Module | None
    views: Views
    progress_bar: bool


@dataclass(frozen=True)
class Found:
    """What was fitted; probabilities (N, K_F), confidence (N,) and last hidden layer (N, n_hidden) of the samples."""

    fitted: Fitted
    proba: NDArray[np.float32]
    confidence: NDArray[np.float32]
    embedding: NDArray[np.float32]


def fit(
    X: Any,
    start_input: StartInput | None,
    taxonomy: Taxonomy,
    codes: NDArray[np.int64],
    budget: int | NDArray[np.int64],
    run: Run,
    checkpoint: Path | None,
    key: tuple[str, ...],
) -> Found:
    """Fit checked inputs; `key` is what, beside data, configuration and device, makes a run another run."""
    config = run.config
    leads = distributed.rank() == 0
    progress_bar = run.progress_bar and leads
    start_rng, input_rng, train_rng = distributed.share(lambda: np.random.default_rng(run.rng).spawn(3))
    inputs = prepare(X, start_input, config, run.device, input_rng)
    keeper = None
    if checkpoint is not None:
        parts = (repr(config.to_dict()), *key, str(run.device))
        keeper = distributed.share(lambda: Checkpoint(checkpoint, fingerprint(inputs.space, codes, *parts)))
    start = distributed.share(
        lambda: initialize(
            inputs.start,
            inputs.space,
            codes,
            taxonomy,
            budget,
            config,
            rng=start_rng,
            keeper=keeper,
            progress_bar=progress_bar,
        )
    )
    # in a matrix, neighbours are those of the class-local representation, if the start made one
    space = start.latents if inputs.is_matrix and start.latents is not None else inputs.space
    near = distributed.share(
        lambda: neighbors_within_classes(
            space, codes, config.n_neighbors, metric=config.metric, device=run.device, rng=input_rng
        )
    )
    logger.info("neighbours: %d in each of %d coarse classes", config.n_neighbors, taxonomy.n_coarse)

    data = TrainingData(inputs.samples, codes, near.indices, taxonomy, start.labels, run.views)
    trainer = _trainer(data, start, budget, run, train_rng)
    trained = trainer.run(checkpoint=keeper if leads else None, progress_bar=progress_bar)
    fitted = Fitted(
        config=config,
        device=run.device,
        n_features=inputs.n_features,
        feature_names=None,
        projection=inputs.projection,
        classifier=trained.classifier,
        views=run.views,
        taxonomy=taxonomy,
        relation=trained.relation,
        history=trained.history,
        solver=relations.solver_name(config.relation_solver),
        own_network=run.network is not None,
    )
    return _predict(fitted, inputs, codes, start)


def _trainer(
    data: TrainingData, start: Initial, budget: int | NDArray[np.int64], run: Run, rng: np.random.Generator
) -> Trainer:
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
        # numbers that the user gave for each coarse class are kept; a total leaves M to eq. 14
        relation_is_known=not isinstance(budget, int),
    )


def _predict(fitted: Fitted, inputs: Inputs, codes: NDArray[np.int64], start: Initial) -> Found:
    """Predictions for the samples, with no fine class of the start empty, and the fine classes in their order."""
    n_fine = len(fitted.relation)
    proba, embedding = fitted.infer(inputs.samples, codes)
    if start.labels is not None and fitted.config.restrict_to_coarse:
        sizes = np.bincount(start.labels, minlength=n_fine)
        revived = revive_empty_classes(fitted.classifier, embedding, codes, fitted.relation, sizes)
        if revived:
            logger.info("training left %d fine classes empty: they got the samples nearest to them", revived)
            proba, _ = fitted.infer(inputs.samples, codes)
    if start.agreement is not None:
        calibrate(fitted.classifier, proba, start.agreement)
        proba, _ = fitted.infer(inputs.samples, codes)
    labels, confidence = proba.argmax(axis=1), proba.max(axis=1)
    if start.agreement is not None:
        # of a label that training changed, the clusterings back at most what they did not give the other one
        confidence = np.where(labels == start.labels, start.agreement, 1 - start.agreement)
    order = fitted.order_by_size(np.bincount(labels, minlength=n_fine))
    return Found(fitted, proba[:, order], confidence, embedding)
