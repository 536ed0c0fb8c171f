"""Where a run begins: labels and M from a start inside each coarse class, or random weights and a random M."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.core import relations
from falcon_sc.core.start.consensus_start import consensus_start
from falcon_sc.core.start.input import StartInput
from falcon_sc.core.training.relation_step import label_shares

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.data.taxonomy import Taxonomy
    from falcon_sc.core.runtime.checkpoint import Checkpoint

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Initial:
    """N samples, K_F fine and K_C coarse classes."""

    relation: NDArray[np.uint8]  # (K_F, K_C)
    labels: NDArray[np.int64] | None = None  # (N,)
    latents: NDArray[np.float32] | None = None  # (N, d): where neighbours inside a class are searched
    agreement: NDArray[np.float32] | None = None  # (N,) of the clusterings behind the labels


def initialize(
    start_input: StartInput,
    Z: Any,
    codes: NDArray[np.int64],
    taxonomy: Taxonomy,
    budget: int | NDArray[np.int64],
    config: FalconConfig,
    *,
    rng: np.random.Generator,
    keeper: Checkpoint | None,
    progress_bar: bool,
) -> Initial:
    """The start that `config.start` names; kept in, and taken from, the checkpoint."""
    if config.start == "random":
        if isinstance(budget, int):
            return Initial(_random_relation(budget, taxonomy, config.lambda_M, rng))
        return Initial(np.repeat(np.eye(len(budget), dtype=np.uint8), budget, axis=0))
    kept = None if keeper is None else keeper.load_start()
    if kept is None:
        uniform = config.prior == "uniform"
        kept = _consensus(start_input, Z, codes, taxonomy, budget, rng, equal_sizes=uniform, progress_bar=progress_bar)
        if keeper is not None:
            keeper.save_start(kept)
    labels = kept["labels"]
    relation = _relation_of(labels, codes, taxonomy, n_fine=int(labels.max()) + 1)
    return Initial(relation, labels, kept.get("latents"), kept.get("agreement"))


def _random_relation(n_fine: int, taxonomy: Taxonomy, lam: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Algorithm A1, first line; E1: one for each data set."""
    blocks = [relations.random_relation(n_fine, b.stop - b.start, lam, rng) for b in taxonomy.blocks]
    return np.hstack(blocks)


def _consensus(
    start_input: StartInput,
    Z: Any,
    codes: NDArray[np.int64],
    taxonomy: Taxonomy,
    budget: int | NDArray[np.int64],
    rng: np.random.Generator,
    *,
    equal_sizes: bool,
    progress_bar: bool,
) -> dict[str, NDArray[Any]]:
    """Labels inside each coarse class of one data set, carried over to the samples of the others.

    Several data sets share their fine classes but not their coarse ones. The one with the most coarse classes
    says most about the fine classes: the start is found there, and samples of the others take the class of the
    nearest mean in the space the network sees.
    """
    reference = max(range(len(taxonomy.blocks)), key=lambda d: taxonomy.blocks[d].stop - taxonomy.blocks[d].start)
    block = taxonomy.blocks[reference]
    inside = taxonomy.dataset_of_column[codes] == reference
    part = start_input if inside.all() else _subset(start_input, inside)
    start = consensus_start(
        part, codes[inside] - block.start, budget, rng=rng, progress_bar=progress_bar, equal_sizes=equal_sizes
    )
    logger.info("start: fine classes in each coarse class: %s", start.n_per_class.tolist())
    if inside.all():
        # there are no latents where every coarse class is one fine class and nothing was fitted
        found = {"labels": start.labels, "agreement": start.agreement}
        return found if start.latents is None else found | {"latents": start.latents}
    labels = np.empty(len(codes), dtype=np.int64)
    labels[inside] = start.labels
    labels[~inside] = _nearest_mean(Z[inside], start.labels, Z[~inside])
    return {"labels": labels}


def _subset(start_input: StartInput, rows: NDArray[np.bool_]) -> StartInput:
    batch = None if start_input.batch is None else start_input.batch[rows]
    return StartInput(start_input.matrix[rows], start_input.kind, batch)


def _nearest_mean(Z: Any, labels: NDArray[np.int64], others: Any) -> NDArray[np.int64]:
    from sklearn.neighbors import NearestCentroid

    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "self.within_class_std_dev_ has", UserWarning
        )  # a constant feature is no fault
        nearest: NDArray[np.int64] = NearestCentroid().fit(Z, labels).predict(others)
    return nearest.astype(np.int64)


def _relation_of(
    labels: NDArray[np.int64], codes: NDArray[np.int64], taxonomy: Taxonomy, n_fine: int
) -> NDArray[np.uint8]:
    """M of given labels: eq. 14 without the balance penalty."""
    shares = label_shares(labels, codes, taxonomy, n_fine)
    return np.hstack([relations.solve(shares[:, block], 0.0) for block in taxonomy.blocks])
