"""The upper bound: the network of FALCON, trained on fine labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from falcon_sc.baselines._assignment import by_head
from falcon_sc.baselines._classification import train_classifier
from falcon_sc.baselines._trained import Learned, TrainedBaseline
from falcon_sc.core.data.labels import as_array
from falcon_sc.core.data.taxonomy import Taxonomy

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike

    from falcon_sc.baselines._task import Task
    from falcon_sc.core.start.input import StartInput


class UpperBound(TrainedBaseline):
    """Cross-entropy on the fine labels, which no discovery may see: what the network could reach.

    Parameters
    ----------
    n_fine
        Number of fine classes, as many as the fine labels have.
    config
        Network, optimizer, schedule and batches. `None`: the network of the paper from random weights,
        `FalconConfig(min_iterations=1400, lr=5e-3, n_hidden=64, n_layers=4)`.
    network, views, device, rng
        As for :class:`falcon_sc.Falcon`.

    Attributes
    ----------
    labels_ : int64, (N,)
        Predicted fine class of each training sample, as positions in `fine_names_`.
    fine_names_ : (K_F,)
        Fine classes, sorted.
    relation_ : uint8, (K_F, K_C)
        Coarse class of most of the samples of each fine class.
    coarse_names_ : (K_C,)
        Coarse classes.
    history_ : dict
        ``loss``, one value an epoch.

    Examples
    --------
    >>> import numpy as np
    >>> from falcon_sc import FalconConfig
    >>> from falcon_sc.baselines import UpperBound
    >>> X = np.random.default_rng(0).normal(size=(60, 5))
    >>> model = UpperBound(3, FalconConfig(max_epochs=1))
    >>> model.fit(X, np.repeat(["a", "b"], 30), fine=np.repeat(["a1", "a2", "b"], [15, 15, 30])).labels_.shape
    (60,)
    """

    def fit(  # type: ignore[override]  # its own argument
        self, X: Any, coarse: ArrayLike, *, fine: ArrayLike, start_input: StartInput | None = None
    ) -> Self:
        """Learn the fine labels.

        Parameters
        ----------
        X, coarse, start_input
            As for :meth:`SCAN.fit`; `coarse` only gives `relation_`.
        fine
            Fine label of each sample, (N,), none missing.

        Returns
        -------
        The fitted model.

        Raises
        ------
        TypeError, ValueError
            For inputs that do not fit together; before anything is computed.
        """
        names = Taxonomy.of(fine)
        codes = names.encode(fine)
        if (codes < 0).any():
            msg = f"fine is missing for {int((codes < 0).sum())} samples: leave those out."
            raise ValueError(msg)
        if names.n_coarse != self.n_fine:
            msg = f"n_fine={self.n_fine!r}, but fine has {names.n_coarse} classes: give that number."
            raise ValueError(msg)
        self._fine_codes = codes
        super().fit(X, coarse, start_input=start_input)
        self.fine_names_ = as_array(names.names)
        return self

    def _learn(self, task: Task) -> Learned:
        if len(self._fine_codes) != len(task.codes):
            msg = f"fine has {len(self._fine_codes)} labels, X has {len(task.codes)} samples."
            raise ValueError(msg)
        classifier, losses = train_classifier(task, self._fine_codes, task.n_fine)
        return Learned(by_head(task, classifier), losses)
