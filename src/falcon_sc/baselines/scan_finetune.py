"""SCAN-finetune: one classifier that learns the labels of SCAN-per-coarse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from falcon_sc.baselines._assignment import by_head
from falcon_sc.baselines._classification import train_classifier
from falcon_sc.baselines._trained import Learned
from falcon_sc.baselines.scan import SCAN
from falcon_sc.baselines.scan_per_coarse import train_models

if TYPE_CHECKING:
    from falcon_sc.baselines._task import Task


class SCANFinetune(SCAN):
    """SCAN-finetune (table H4): :class:`SCANPerCoarse` labels the samples, and one classifier learns those labels.

    Coarse labels are not needed to predict. Parameters and attributes are those of :class:`SCAN`; a total is shared out
    as in :class:`SCANPerCoarse`.

    Examples
    --------
    >>> import numpy as np
    >>> from falcon_sc import FalconConfig
    >>> from falcon_sc.baselines import SCANFinetune
    >>> X = np.random.default_rng(0).normal(size=(60, 5))
    >>> SCANFinetune(4, FalconConfig(max_epochs=1)).fit(X, np.repeat(["a", "b"], 30)).labels_.shape
    (60,)
    """

    def _learn(self, task: Task) -> Learned:
        assign, _, losses = train_models(task, self.entropy_weight)
        classifier, its_losses = train_classifier(task, assign(task.samples, task.codes), task.n_fine)
        return Learned(by_head(task, classifier), losses + its_losses)
