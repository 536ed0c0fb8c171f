"""What a fit found for its own samples, seen through fine classes that may change afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from falcon_sc.core.start.tree.forest import Tree
    from falcon_sc.core.state.decisions import FineClasses


class Seen(NamedTuple):
    """N samples in K_F fine classes."""

    labels: NDArray[np.int64]  # (N,)
    proba: NDArray[np.float32]  # (N, K_F)
    confidence: NDArray[np.float32]  # (N,)


@dataclass(frozen=True)
class Found:
    """N samples, by the outputs of the network: the fine classes of the fit or, with a `tree`, its leaves.

    `proba`: (N, outputs). `labels`: (N,), the most probable output, -1 for none. `agreement`: (N,), how far the clusterings
    of the start agree on the fine class of the fit; None without them, NaN where there is no label.
    """

    proba: NDArray[np.float32]
    labels: NDArray[np.int64]
    agreement: NDArray[np.float32] | None
    tree: Tree | None

    def through(self, classes: FineClasses) -> Seen:
        """Labels, probabilities and confidence in these classes, `members` of which are the outputs.

        The confidence in the class of the fit, c, goes to a class B by what the network says: with A the class of the
        fit, ``c p(A and B) / p(A) + (1 - c) p(B without A) / (1 - p(A))``. Up to a half of it goes where a split above B is not
        supported.
        """
        some = np.flatnonzero(self.labels >= 0)
        own = self.labels[some]
        labels = np.full(len(self.labels), -1, dtype=np.int64)
        labels[some] = classes.members[own]
        proba = classes.pooled(self.proba)
        confidence = np.full(len(labels), np.nan, dtype=np.float32)
        if self.agreement is None:
            confidence[some] = proba[some, labels[some]]
            return Seen(labels, proba, confidence)
        at_fit = np.arange(self.proba.shape[1]) if self.tree is None else self.tree.class_of_leaf
        rows = self.proba[some].astype(np.float64)
        same_at_fit = at_fit[own][:, None] == at_fit  # (some, outputs)
        same_now = classes.members[own][:, None] == classes.members
        p_fit, p_both = (np.where(same, rows, 0).sum(axis=1) for same in (same_at_fit, same_at_fit & same_now))
        p_other = np.where(same_now & ~same_at_fit, rows, 0).sum(axis=1)
        c = self.agreement[some].astype(np.float64)
        kept = np.divide(p_both, p_fit, out=np.ones(len(some)), where=p_fit > 0)
        gained = np.divide(p_other, 1 - p_fit, out=np.zeros(len(some)), where=p_fit < 1)
        moved = np.clip(c * kept + (1 - c) * gained, 0, 1)
        if self.tree is not None:
            moved *= (1 + self.tree.path_support(classes.members)[own]) / 2
        confidence[some] = moved
        return Seen(labels, proba, confidence)
