"""What a trial is judged by on the validation part: fine labels, as in the paper, or none at all."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from falcon_sc.core.model import Falcon
    from falcon_sc.search._split import Split


def score(model: Falcon, split: Split) -> float:
    """Of a model that was fitted on the training part: clustering accuracy if there are fine labels, else label-free."""
    from falcon_sc.metrics import clustering_accuracy

    found = model.predict(split.X_validation, split.coarse_validation)
    if split.fine_validation is not None:
        return clustering_accuracy(split.fine_validation, found)
    return predictable_information(split, model.labels_, found)


def predictable_information(split: Split, labels: NDArray[np.int64], found: NDArray[np.int64]) -> float:
    """How much of the classes inside the coarse classes a linear classifier of the features foretells, in nats.

    The mutual information of the discovered classes of the validation samples and of what a logistic regression says
    of them that learned the discovered classes of the training samples; inside each coarse class, and their mean
    weighted by size. TURTLE's criterion is the accuracy of such a classifier; that would be highest where no coarse
    class is divided, for which this is 0.

    Parameters
    ----------
    labels, found
        Discovered classes of the training (N,) and of the validation samples (V,).
    """
    from sklearn.metrics import mutual_info_score

    foretold = _foretold(split.X, labels, split.X_validation)
    coarse = np.unique(split.coarse_validation.astype(str), return_inverse=True)[1]
    inside = [np.flatnonzero(coarse == c) for c in range(coarse.max() + 1)]
    information = [len(rows) * mutual_info_score(found[rows], foretold[rows]) for rows in inside]
    return float(sum(information) / len(found))


def _foretold(X: Any, labels: NDArray[np.int64], X_validation: Any) -> NDArray[np.int64]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if len(np.unique(labels)) == 1:  # which scikit-learn refuses
        return np.full(X_validation.shape[0], labels[0])
    classifier = make_pipeline(StandardScaler(with_mean=False), LogisticRegression(max_iter=200))
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):  # near enough to compare trials
        classifier.fit(X, labels)
    predicted: NDArray[np.int64] = classifier.predict(X_validation)
    return predicted
