"""What a fit ends with: predictions for its samples, by outputs of the network, and the tree through these."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.data.labels import in_a_line
from falcon_sc.core.state.calibration import SAMPLES, calibrate
from falcon_sc.core.state.revival import revive_empty_classes

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from falcon_sc.core.fitting.prepare import Prepared
    from falcon_sc.core.start.start import Start
    from falcon_sc.core.start.tree.forest import Tree
    from falcon_sc.core.state.fitted import Fitted

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What a fit ends with; N samples. The outputs are the fine classes or, where there is a `tree`, its leaves."""

    fitted: Fitted
    proba: NDArray[np.float32] | sparse.csr_matrix  # (N, outputs)
    labels: NDArray[np.int64]  # (N,), the most probable output
    agreement: NDArray[np.float32] | None  # (N,), of the clusterings on the fine class; none without them
    embedding: NDArray[np.float32]  # (N, n_hidden), last hidden layer
    start_labels: NDArray[np.int64] | None  # (N,), outputs; none for a random start
    tree: Tree | None


def predictions(fitted: Fitted, prepared: Prepared, codes: NDArray[np.int64], start: Start) -> Outcome:
    """Predictions for the samples, with no fine class of the start empty, and the outputs in their order.

    The network passes over the samples once; what changes afterwards, bias and temperature, is the head's, which is asked again.
    """
    embedding = fitted.embed(prepared.samples)
    outputs = fitted.most_probable(embedding, codes)  # (N,); their probabilities are large, and made once, at the end
    if start.output_labels is not None and fitted.config.restrict_to_coarse:
        revived = _revive(fitted, embedding, codes, found=outputs, wanted=start.output_labels)
        outputs = fitted.most_probable(embedding, codes) if revived else outputs
    agreement = None
    if start.agreement is not None:
        assert start.labels is not None
        some = slice(None, None, -(-len(codes) // SAMPLES))
        calibrate(
            fitted.classifier,
            fitted.classes.pooled(fitted.probabilities(embedding[some], codes[some])),
            start.agreement,
        )
        labels = fitted.classes.members[outputs]
        # of a label that training changed, the clusterings back at most what they did not give the other one
        agreement = np.where(labels == start.labels, start.agreement, 1 - start.agreement)
    order = fitted.order_by_size(outputs)
    tree = None
    if start.tree is not None and fitted.class_of_output is not None:
        tree = start.tree.reordered(order, fitted.class_of_output)
    if tree is not None and (fitted.relation.argmax(axis=1) != tree.leaf_coarse).any():
        logger.warning("training moved fine classes to other coarse classes: the tree of splits does not hold any more")
        tree = None
    start_labels = None if start.output_labels is None else np.argsort(order)[start.output_labels]
    # in order and calibrated, bit for bit what a saved model will give
    proba, labels = fitted.proba_of_fit(embedding, codes), fitted.most_probable(embedding, codes)
    return Outcome(fitted, proba, labels, agreement, embedding, start_labels, tree)


def _revive(
    fitted: Fitted,
    embedding: NDArray[np.float32],
    codes: NDArray[np.int64],
    *,
    found: NDArray[np.int64],
    wanted: NDArray[np.int64],
) -> bool:
    """Give every output of the network samples; whether one had none among those `found`, of those `wanted` (N,)."""
    sizes, classes = np.bincount(wanted, minlength=len(fitted.relation)), fitted.classes
    revived = revive_empty_classes(fitted.classifier, embedding, codes, fitted.relation, sizes)
    empty = np.setdiff1d(np.arange(len(classes.names)), classes.members[found])
    if len(empty):
        parents = [str(fitted.taxonomy.names[column]) for column in np.nonzero(classes.relation[empty])[1]]
        logger.warning(
            "training left %d fine classes empty, which got the samples nearest to them; of each coarse class: %s",
            len(empty),
            ", ".join(f"{in_a_line(name)} {n}" for name, n in Counter(parents).items()),
        )
    return bool(revived)
