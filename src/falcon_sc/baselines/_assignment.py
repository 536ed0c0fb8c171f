"""How fine classes come out of a trained network: the largest output of its head, or K-Means on its features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import nn

    from falcon_sc.baselines._task import Task
    from falcon_sc.baselines._trained import Assign
    from falcon_sc.core.data.batches import Samples
    from falcon_sc.core.training.networks import FineClassifier


def by_head(task: Task, classifier: FineClassifier) -> Assign:
    """The class of the largest output."""

    def assign(samples: Samples, _codes: NDArray[np.int64]) -> NDArray[np.int64]:
        return outputs(classifier.head, task.embed(classifier.backbone, samples)).argmax(axis=1).astype(np.int64)

    return assign


def by_kmeans(
    task: Task,
    backbone: nn.Module,
    features: Callable[[NDArray[np.float32]], NDArray[np.float32]] = lambda hidden: hidden,
) -> Assign:
    """The nearest of K_F centers, for features of unit length: K-Means on those of the training samples.

    Parameters
    ----------
    features
        From the last hidden layer, (N, n_hidden).
    """
    from sklearn.cluster import KMeans
    from sklearn.preprocessing import normalize

    def unit(samples: Samples) -> NDArray[np.float32]:
        found: NDArray[np.float32] = normalize(features(task.embed(backbone, samples)))
        return found

    model = KMeans(task.n_fine, n_init=10, random_state=task.seed()).fit(unit(task.samples))
    return lambda samples, _codes: model.predict(unit(samples)).astype(np.int64)


def outputs(head: nn.Module, hidden: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a head gives for a hidden layer, (N, n_out)."""
    device = next(head.parameters()).device
    with torch.no_grad():
        found: NDArray[np.float32] = head(torch.from_numpy(hidden).to(device)).cpu().numpy()
    return found
