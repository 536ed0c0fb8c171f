"""SCAN-per-coarse: one SCAN for each coarse class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.baselines._assignment import by_head
from falcon_sc.baselines._classification import train_classifier
from falcon_sc.baselines._trained import Learned
from falcon_sc.baselines.scan import SCAN, train_scan
from falcon_sc.core.start.allocation import by_size
from falcon_sc.core.start.input import most_classes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from falcon_sc.baselines._task import Task
    from falcon_sc.baselines._trained import Assign
    from falcon_sc.core.data.batches import Samples


class SCANPerCoarse(SCAN):
    """SCAN-per-coarse (table H4): SCAN inside each coarse class by itself; the coarse class picks the model.

    The paper does not say how many fine classes each model looks for. Here a total is shared out by the sizes of the
    coarse classes, and a mapping is taken as it is (an oracle, if it holds true numbers). Samples whose coarse class
    is not known are sent to the model that a classifier of the coarse classes names. Parameters and further attributes
    are those of :class:`SCAN`. Takes one data set.

    Attributes
    ----------
    labels_ : int64, (N,)
        Fine class of each sample; codes by coarse class.

    Examples
    --------
    >>> import numpy as np
    >>> from falcon_sc import FalconConfig
    >>> from falcon_sc.baselines import SCANPerCoarse
    >>> X = np.random.default_rng(0).normal(size=(60, 5))
    >>> SCANPerCoarse(4, FalconConfig(max_epochs=1)).fit(X, np.repeat(["a", "b"], 30)).relation_
    array([[1, 0],
           [1, 0],
           [0, 1],
           [0, 1]], dtype=uint8)
    """

    def _learn(self, task: Task) -> Learned:
        assign, counts, losses = train_models(task, self.entropy_weight)
        relation = np.repeat(np.eye(task.n_coarse, dtype=np.uint8), counts, axis=0)
        router, _ = train_classifier(task, task.codes, task.n_coarse)
        return Learned(_routed(assign, by_head(task, router)), losses, relation)


def train_models(task: Task, entropy_weight: float) -> tuple[Assign, NDArray[np.int64], list[float]]:
    """A SCAN for each coarse class: what they assign where it is known, their numbers of fine classes, their losses."""
    if len(task.taxonomy.datasets) > 1:
        msg = "dataset names several data sets, whose coarse classes overlap: a model for each coarse class needs one set."
        raise ValueError(msg)
    sizes = np.bincount(task.codes, minlength=task.n_coarse)
    counts = by_size(sizes, task.budget, most_classes(sizes)) if isinstance(task.budget, int) else task.budget
    models: list[Assign | None] = []
    losses: list[float] = []
    for c, n_fine in enumerate(counts):
        if n_fine == 1:  # one class, nothing to learn
            models.append(None)
            continue
        own = task.only(np.flatnonzero(task.codes == c))
        classifier, its_losses = train_scan(own, int(n_fine), own.codes, entropy_weight)
        models.append(by_head(own, classifier))
        losses += its_losses
    first = np.cumsum(counts) - counts

    def assign(samples: Samples, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        labels = first[codes]
        for c, model in enumerate(models):
            rows = codes == c
            if model is not None and rows.any():
                labels[rows] += model(samples, codes)[rows]
        return labels

    return assign, counts, losses


def _routed(assign: Assign, route: Assign) -> Assign:
    """Coarse classes that are not known come from `route`."""

    def assign_all(samples: Samples, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        unknown = codes < 0
        return assign(samples, np.where(unknown, route(samples, codes), codes) if unknown.any() else codes)

    return assign_all
