"""Which samples stand for a fine class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def most_confident(proba: NDArray[Any], labels: NDArray[Any], fine: int, n: int) -> NDArray[np.intp]:
    """Rows of the samples of a fine class, the most confident first; at most `n`.

    Parameters
    ----------
    proba
        Probabilities of the fine classes, (N, K_F).
    labels
        Fine class of each sample, (N,).
    fine
        Number of the class.
    n
        How many.
    """
    members = np.flatnonzero(labels == fine)
    return members[np.argsort(-proba[members, fine], kind="stable")[:n]]
