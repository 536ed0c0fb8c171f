"""What a fit found for its own samples, seen through fine classes that may change afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from falcon_sc.core.start.tree.forest import Tree
    from falcon_sc.core.state.decisions import FineClasses


_ROWS = 2**14  # looked at at once


class Seen(NamedTuple):
    """N samples in K_F fine classes."""

    labels: NDArray[np.int64]  # (N,)
    proba: NDArray[np.float32]  # (N, K_F)
    confidence: NDArray[np.float32]  # (N,)


@dataclass(frozen=True)
class Found:
    """N samples, by the outputs of the network: the fine classes of the fit or, with a `tree`, its leaves.

    `proba`: (N, outputs), CSR where most are 0. `labels`: (N,), the most probable output, -1 for none. `agreement`: (N,), how far the clusterings
    of the start agree on the fine class of the fit; None without them, NaN where there is no label.

    Samples of another origin may be among them, of which nothing is known: their rows of `proba` are NaN, or in a CSR matrix 0.
    """

    proba: NDArray[np.float32] | sparse.csr_matrix
    labels: NDArray[np.int64]
    agreement: NDArray[np.float32] | None
    tree: Tree | None

    def through(self, classes: FineClasses) -> Seen:
        """Labels, probabilities and confidence in these classes, `members` of which are the outputs.

        The confidence in the class of the fit, c, goes to a class B by what the network says: with A the class of the
        fit, ``c p(A and B) / p(A) + (1 - c) p(B without A) / (1 - p(A))``. Up to a half of it goes where a split above B is not
        supported, and a half where the split that would divide B next is, on its smaller side.
        """
        some = np.flatnonzero(self.labels >= 0)
        own = self.labels[some]
        labels = np.full(len(self.labels), -1, dtype=np.int64)
        labels[some] = classes.members[own]
        proba = classes.pooled(self.proba)
        if sparse.issparse(self.proba):
            proba[np.asarray(self.proba.sum(axis=1)).ravel() == 0] = np.nan
        confidence = np.full(len(labels), np.nan, dtype=np.float32)
        if self.agreement is None:
            confidence[some] = proba[some, labels[some]]
            return Seen(labels, proba, confidence)
        at_fit = np.arange(self.proba.shape[1]) if self.tree is None else self.tree.class_of_leaf
        worth = np.ones(len(at_fit)) if self.tree is None else _worth(self.tree, classes.members)
        for begin in range(0, len(some), _ROWS):
            block = some[begin : begin + _ROWS]
            rows: Any = self.proba[block]
            rows = rows.toarray() if sparse.issparse(rows) else rows
            moved = _moved(self.agreement[block], rows, self.labels[block], at_fit, classes.members)
            confidence[block] = moved * worth[self.labels[block]]
        return Seen(labels, proba, confidence)


def _worth(tree: Tree, members: NDArray[np.int64]) -> NDArray[np.float64]:
    """What the evidence leaves of the confidence of the samples in each leaf (L,), whose classes are `members`."""
    above = (1 + tree.path_support(members)) / 2
    return np.where(_set_apart(tree, members), above / 2, above)


def _set_apart(tree: Tree, members: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Leaves (L,) in the smaller part of their class, where the uppermost split that divides the class is supported.

    Not of a class that somebody made of several: that split was made in the fit.
    """
    if not len(tree.left):
        return np.zeros(len(members), dtype=bool)
    under, sizes = tree.under(), np.zeros(len(members), dtype=np.int64)
    for children, n in ((tree.left, tree.n_left), (tree.right, tree.n_right)):
        leaves = children < len(members)
        sizes[children[leaves]] = n[leaves]
    of_class = members[:, None] == np.arange(members.max() + 1)
    left, right = ((under[children] * sizes) @ of_class for children in (tree.left, tree.right))  # (S, K_F)
    divided = (left > 0) & (right > 0)
    uppermost = len(divided) - 1 - divided[::-1].argmax(axis=0)  # (K_F,); parents come after their children
    split = uppermost[members]
    is_right = under[tree.right[split], np.arange(len(members))]
    is_smaller = is_right == (right <= left)[split, members]
    return np.asarray(divided[split, members] & tree.supported[split] & ~tree.made()[split] & is_smaller)


def _moved(
    agreement: NDArray[np.float32],
    proba: NDArray[np.float32],
    own: NDArray[np.int64],
    at_fit: NDArray[np.int64],
    now: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Confidence in the class that holds the output `own` (n,) now, from that in the class that held it at the fit."""
    rows, c = proba.astype(np.float64), agreement.astype(np.float64)
    same_at_fit, same_now = (of[own][:, None] == of for of in (at_fit, now))  # (n, outputs)
    p_fit, p_both = (np.where(same, rows, 0).sum(axis=1) for same in (same_at_fit, same_at_fit & same_now))
    p_other = np.where(same_now & ~same_at_fit, rows, 0).sum(axis=1)
    kept = np.divide(p_both, p_fit, out=np.ones(len(rows)), where=p_fit > 0)
    gained = np.divide(p_other, 1 - p_fit, out=np.zeros(len(rows)), where=p_fit < 1)
    return np.asarray(np.clip(c * kept + (1 - c) * gained, 0, 1))
