"""The interface of `Falcon` around the systems that train a network: fit, predict, labels_."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from falcon_sc.baselines._task import Settings, Task
from falcon_sc.core.data.batches import as_samples
from falcon_sc.core.data.inputs import as_input, n_features, n_samples
from falcon_sc.core.data.labels import as_array
from falcon_sc.core.fitting.problem import Problem
from falcon_sc.core.runtime.surroundings import undisturbed
from falcon_sc.core.runtime.threads import at_most_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Self

    import torch
    from numpy.typing import ArrayLike, NDArray
    from torch import nn

    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.data.batches import Samples, Views
    from falcon_sc.core.start.input import StartInput

    # samples as the network reads them, and their coarse classes (N,), -1 where unknown -> fine classes (N,)
    Assign = Callable[[Samples, NDArray[np.int64]], NDArray[np.int64]]


class Learned(NamedTuple):
    """What a system ends with."""

    assign: Assign
    losses: Sequence[float]  # one an epoch
    relation: NDArray[np.uint8] | None = None  # (K_F, K_C), if the system has one of its own


class TrainedBaseline(ABC):
    """A system that trains the network of `Falcon`; see its subclasses."""

    def __init__(
        self,
        n_fine: int | Mapping[Any, int],
        config: FalconConfig | None = None,
        *,
        network: nn.Module | None = None,
        views: Views | None = None,
        device: str | torch.device | None = None,
        rng: int | np.random.Generator | None = 0,
    ) -> None:
        self.n_fine = n_fine
        self.config = config
        self.network = network
        self.views = views
        self.device = device
        self.rng = rng

    @abstractmethod
    def _learn(self, task: Task) -> Learned:
        """Train."""

    @undisturbed()
    def fit(
        self,
        X: Any,
        coarse: ArrayLike,
        dataset: ArrayLike | None = None,
        *,
        start_input: StartInput | None = None,
    ) -> Self:
        """Find the fine classes of `X`.

        Parameters
        ----------
        X
            Samples, as for :meth:`falcon_sc.Falcon.fit`: a finite matrix (N, features), or samples that are read in
            batches, with a `network` that takes them.
        coarse
            Coarse label of each sample, (N,), none missing.
        dataset
            Data set of each sample, (N,); coarse classes of different data sets are different classes.
        start_input
            Features in which neighbors are searched, if `X` is no matrix.

        Returns
        -------
        The fitted model.

        Raises
        ------
        TypeError, ValueError
            For inputs that do not fit together; before anything is computed.
        FloatingPointError
            If the training diverges.
        """
        settings = Settings.of(self.config, self.network, self.views, self.device)
        problem = Problem.of(X, coarse, self.n_fine, dataset=dataset, start_input=start_input)
        with at_most_threads(settings.config.n_jobs):
            self._task = Task.of(problem, settings, self.rng)
            self._learned = self._learn(self._task)
            self.labels_ = self._learned.assign(self._task.samples, problem.codes)
        self.history_ = {"loss": np.asarray(self._learned.losses)}
        self.coarse_names_ = as_array(problem.taxonomy.names)
        relation = self._learned.relation
        self.relation_ = majority_relation(self.labels_, self._task) if relation is None else relation
        return self

    @undisturbed()
    def predict(self, X: Any, coarse: ArrayLike | None = None, dataset: ArrayLike | None = None) -> NDArray[np.int64]:
        """Fine class of each sample, int64 (N,).

        Parameters
        ----------
        X
            Samples with the features of :meth:`fit`.
        coarse
            Known coarse labels, (N,), entries may be missing. Only SCAN-per-coarse reads them: they pick its model.
        dataset
            Data set of each sample, if the model was fitted on several.

        Returns
        -------
        The fine classes.

        Raises
        ------
        ValueError
            If the model is not fitted, `X` has other features than it was fitted on, or `coarse` unknown labels
            or another length.
        """
        if not hasattr(self, "_learned"):
            msg = f"this {type(self).__name__} is not fitted: call fit."
            raise ValueError(msg)
        X, task = as_input(X), self._task
        if n_features(X) != task.n_features:
            msg = f"X has {n_features(X)} features, the model was fitted on {task.n_features}."
            raise ValueError(msg)
        codes = np.full(n_samples(X), -1) if coarse is None else task.taxonomy.encode(coarse, dataset)
        if len(codes) != n_samples(X):
            msg = f"coarse has {len(codes)} labels, X has {n_samples(X)} samples."
            raise ValueError(msg)
        space = X if task.projection is None else task.projection(X)
        with at_most_threads(task.settings.config.n_jobs):
            return self._learned.assign(as_samples(space, task.settings.device), codes)


def majority_relation(labels: NDArray[np.int64], task: Task) -> NDArray[np.uint8]:
    """M, (K_F, K_C): under the coarse class that most samples of a fine class have; an empty one under the largest."""
    counts = np.zeros((task.n_fine, task.n_coarse))
    np.add.at(counts, (labels, task.codes), 1.0)
    shares = np.bincount(task.codes, minlength=task.n_coarse) / (len(labels) + 1)
    return np.eye(task.n_coarse, dtype=np.uint8)[(counts + shares).argmax(axis=1)]
