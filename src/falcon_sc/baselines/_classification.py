"""A classifier trained by plain cross-entropy on given labels (empirical risk minimization)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch.nn.functional as F

from falcon_sc.baselines._loop import Loop

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from falcon_sc.baselines._task import Task
    from falcon_sc.core.training.networks import FineClassifier
    from falcon_sc.core.training.sampling import Batch


def train_classifier(task: Task, labels: NDArray[np.int64], n_classes: int) -> tuple[FineClassifier, list[float]]:
    """The network of the task, trained on `labels`, (N,); and its losses."""
    loop = Loop(task, classifier := task.classifier(n_classes))
    known = task.on_device(labels)

    def loss(batch: Batch, rows: Any) -> Tensor:
        logits = loop.output(loop.learner.forward, loop.view(rows))
        return F.cross_entropy(logits.float(), known[batch.index])

    return classifier, loop.run(loss)
