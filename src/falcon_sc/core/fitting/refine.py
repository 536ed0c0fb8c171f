"""One coarse class again, deeper: its start alone, and outputs for it that read what the network reads."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from falcon_sc.core.data.batches import SameViews, as_samples
from falcon_sc.core.data.labels import in_a_line
from falcon_sc.core.fitting.outcome import predictions
from falcon_sc.core.fitting.prepare import Prepared
from falcon_sc.core.runtime.surroundings import undisturbed
from falcon_sc.core.start.coarse_classes import CoarseClasses
from falcon_sc.core.start.one_class import FITS, Division, divide
from falcon_sc.core.start.progress import FitsBar
from falcon_sc.core.start.start import Start
from falcon_sc.core.start.tree.forest import Tree
from falcon_sc.core.start.tree.splits import most_leaves
from falcon_sc.core.state.fitted import Fitted
from falcon_sc.core.state.refinement import Refinement
from falcon_sc.core.training.networks import FineClassifier

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.data.taxonomy import Taxonomy
    from falcon_sc.core.start.input import StartInput
    from falcon_sc.core.state.decisions import FineClasses

logger = logging.getLogger(__name__)

PENALTY = 0.1  # inverse, of the logistic regression


@dataclass(frozen=True)
class Refined:
    """One coarse class of n samples with L leaves, which are outputs of the network; codes are those inside the class."""

    refinement: Refinement
    classes: FineClasses
    proba: NDArray[np.float32]  # (n, L)
    agreement: NDArray[np.float32]  # (n,), of the clusterings on the fine class
    tree: Tree


@undisturbed()
def refine(
    start_input: StartInput,
    codes: NDArray[np.int64],
    column: int,
    k: int,
    *,
    features: Any,
    taxonomy: Taxonomy,
    config: FalconConfig,
    rng: int | np.random.Generator | None,
    progress_bar: bool = False,
) -> Refined:
    """Divide one coarse class into `k` fine classes, with a tree through them, as a start does that is given the number.

    Parameters
    ----------
    start_input, codes
        Samples, and the column of M of each (N,); the other classes are what this one is contrasted with.
    column, k
        The coarse class, and its number of fine classes.
    features
        Of its samples, (n, features), dense or sparse: what the network reads.
    taxonomy
        The columns of M.
    config
        Hyperparameters of the start.
    rng
        Seed or generator; the same one gives the same classes.
    progress_bar
        Show a bar over the fits.
    """
    from threadpoolctl import threadpool_limits

    there, own_codes = np.unique(codes, return_inverse=True)  # samples of a class may have been taken out
    classes, c = CoarseClasses(start_input, own_codes), int(np.searchsorted(there, column))
    n_leaves = most_leaves(k, min(int(classes.sizes[c]), config.start_max_cells), config.leaves_per_class)

    def divided(_: int) -> Division:
        return divide(
            **classes.given(c),
            k=k,
            n_leaves=n_leaves,
            rng=np.random.default_rng(rng),
            n_genes=config.start_n_genes,
            max_cells=config.start_max_cells,
            n_repeats=config.start_n_repeats,
        )

    with threadpool_limits(limits=1):  # threads change no result
        with FitsBar(np.array([FITS[classes.has_counts]]), shown=progress_bar) as bar:
            found = bar.stages[0].counted(divided)(0)
        weight, bias = _learned(features, found.splits.tree.leaves)
        logits = np.asarray(features @ weight.T + bias, dtype=np.float32)
        fitted, start = _as_a_fit_of_its_own(found, column, taxonomy, config)
        prepared = Prepared(
            as_samples(logits, fitted.device), start_input, logits, None, logits.shape[1], is_matrix=True
        )
        outcome = predictions(fitted, prepared, np.zeros(len(logits), dtype=np.int64), start)
    assert outcome.tree is not None
    assert outcome.agreement is not None
    assert outcome.fitted.class_of_output is not None
    head = outcome.fitted.classifier.head
    ordered, raised = (own.detach().numpy().astype(np.float64) for own in (head.weight, head.bias))
    weight, bias = ordered @ weight, ordered @ bias + raised
    own = outcome.fitted.class_of_output
    refinement = Refinement(weight.astype(np.float32), bias.astype(np.float32), own)
    _say(outcome.fitted, found, outcome.proba)
    return Refined(refinement, outcome.fitted.classes, outcome.proba, outcome.agreement, outcome.tree)


def _as_a_fit_of_its_own(
    found: Division, column: int, taxonomy: Taxonomy, config: FalconConfig
) -> tuple[Fitted, Start]:
    """A network that hands on logits, of which the end of a fit makes the best, and the start that it had."""
    tree = found.splits.tree
    here = replace(taxonomy, names=taxonomy.names[column : column + 1], dataset_of_column=np.zeros(1, dtype=np.int64))
    n_leaves = len(tree.classes)
    classifier = FineClassifier(nn.Identity(), n_leaves, n_leaves)
    with torch.no_grad():
        classifier.head.weight.copy_(torch.eye(n_leaves))
        classifier.head.bias.zero_()
    fitted = Fitted(
        config=config,
        device=torch.device("cpu"),
        n_features=n_leaves,
        feature_names=None,
        projection=None,
        classifier=classifier,
        views=SameViews(),
        taxonomy=here,
        relation=np.ones((n_leaves, 1), dtype=np.uint8),
        history={},
        solver="",
        own_network=True,
        class_of_output=tree.classes,
    )
    start = Start(
        np.ones((int(tree.classes.max()) + 1, 1), dtype=np.uint8),
        found.labels,
        found.agreement,
        None,
        tree.leaves,
        Tree.of([found.splits], [0], [None]),
    )
    return fitted, start


def _learned(X: Any, leaves: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weight and bias that tell the leaves apart: multinomial logistic regression, each feature over its standard deviation."""
    from scipy import sparse
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler(with_mean=False)  # sparse stays sparse
    scaled = scaler.fit_transform(sparse.csr_matrix(X) if sparse.issparse(X) else X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # near enough: a temperature follows
        warnings.filterwarnings("ignore", "The number of unique classes is greater", UserWarning)  # as it was asked for
        model = LogisticRegression(C=PENALTY, max_iter=300).fit(scaled, leaves)
    weight, bias = model.coef_, model.intercept_
    if len(weight) == 1:  # of two leaves scikit-learn keeps the difference
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return np.asarray(weight / scaler.scale_, dtype=np.float64), np.asarray(bias, dtype=np.float64)


def _say(fitted: Fitted, found: Division, proba: NDArray[np.float32]) -> None:
    name = fitted.taxonomy.names[0]
    logger.info(
        "refine: %d samples of %s in %d fine classes and %d leaves; the clusterings agree on a label to %.0f %%, on average",
        len(proba),
        in_a_line(name),
        len(fitted.classes.names),
        proba.shape[1],
        100 * found.agreement.mean(),
    )
