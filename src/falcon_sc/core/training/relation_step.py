"""The relation step of algorithms A1 and E1: gather predictions, solve eq. 14, every P iterations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from falcon_sc.core import relations
from falcon_sc.core.runtime import distributed
from falcon_sc.core.training import schedules

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.data.taxonomy import Taxonomy


START_WEIGHT = 0.1  # ours: as much as the labels of the start weigh in the loss on cells


class RelationStep:
    """M of a run, kept here alone, and the predictions gathered since it was last solved.

    Parameters
    ----------
    relation
        First M, (outputs of the network, K_C).
    taxonomy
        Columns of M; each data set has a block of them.
    config
        Interval, solver and balance penalty.
    device
        Where predictions are gathered.
    start
        What the labels of the start say, (K_F, K_C), see :func:`falcon_sc.core.relations.label_shares`; none for a
        random start. It weighs `START_WEIGHT` beside the predictions, also where the labels are not in the loss: a network
        that confuses coarse classes would else move fine classes between them until some have a dozen and others one.
    is_known
        Keep `relation` as it is (table O1).
    classes
        (outputs,) fine class that each output counts for, where these are leaves of a tree: M is then solved for the
        fine classes, with the sums of their outputs, and leaves go where their class goes.
    """

    def __init__(
        self,
        relation: NDArray[np.uint8],
        taxonomy: Taxonomy,
        config: FalconConfig,
        device: torch.device,
        *,
        start: NDArray[np.float64] | None = None,
        is_known: bool = False,
        classes: NDArray[np.int64] | None = None,
    ) -> None:
        self._device = device
        self._classes = np.arange(len(relation)) if classes is None else classes
        self.set(relation)
        self.cost = torch.zeros(relation.shape[::-1], device=device)  # (K_C, K_F)
        self._taxonomy = taxonomy
        self._config = config
        self._start = start
        self.is_known = is_known

    def set(self, relation: NDArray[np.uint8]) -> None:
        """Take another M, (K_F, K_C); `children` is its transpose (K_C, K_F), bool, on the device."""
        self.relation = relation
        self.children = torch.from_numpy(relation.T.astype(bool)).to(self._device)

    def gather(self, membership: Tensor, probabilities: Tensor) -> None:
        """Add a batch: its coarse classes (B, K_C), one-hot, and its fine predictions (B, K_F)."""
        self.cost += membership.T @ probabilities  # C = Y^T P, summed over batches

    def update(self, progress: float) -> int:
        """Solve eq. 14 for each data set from what was gathered; returns the number of changed rows."""
        if self.is_known:
            return 0
        cost = distributed.total(self.cost).T.double().cpu().numpy()  # (K_F, K_C)
        self.cost.zero_()
        relation = distributed.share(lambda: self._solve(cost, schedules.balance_weight(progress, self._config)))
        changes = int((relation != self.relation).any(axis=1).sum())
        if changes:
            self.set(relation)
        return changes

    def _solve(self, cost: NDArray[np.float64], lam: float) -> NDArray[np.uint8]:
        relation = self.relation.copy()
        for block in self._taxonomy.blocks:
            seen = cost[:, block].sum()
            if seen > 0:
                shares = cost[:, block] / seen  # eq. 12
                if self._start is not None:
                    shares = (shares + START_WEIGHT * self._start[:, block]) / (1 + START_WEIGHT)
                of_classes = np.zeros((int(self._classes.max()) + 1, shares.shape[1]))
                np.add.at(of_classes, self._classes, shares)
                solved = relations.solve(
                    of_classes,
                    lam,
                    solver=self._config.relation_solver,
                    time_limit=self._config.relation_time_limit,
                )
                relation[:, block] = solved[self._classes]
        return relation

    def n_used(self, used: Tensor) -> int:
        """Number of fine classes among whose outputs one is `used`, (outputs,) more than 0."""
        return len(np.unique(self._classes[used.cpu().numpy() > 0]))
