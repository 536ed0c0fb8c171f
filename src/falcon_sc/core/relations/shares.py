"""The cost of eq. 12 for given fine labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def label_shares(
    labels: NDArray[np.int64], codes: NDArray[np.int64], blocks: Sequence[slice], n_fine: int
) -> NDArray[np.float64]:
    """C of eq. 12 for given fine labels, (K_F, K_C): the share of the samples of a data set, which sum to one.

    Parameters
    ----------
    labels
        (N,) fine class of each sample.
    codes
        (N,) column of M of each sample.
    blocks
        Columns of M of each data set, which follow each other.
    n_fine
        K_F.
    """
    shares = np.zeros((n_fine, blocks[-1].stop))
    np.add.at(shares, (labels, codes), 1.0)
    for block in blocks:
        shares[:, block] /= shares[:, block].sum()
    return shares
