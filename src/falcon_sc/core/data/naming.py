"""What fine classes are called before anybody names them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def parent_names(relation: NDArray[Any], coarse_names: NDArray[Any], coarse_dataset: NDArray[Any]) -> list[str]:
    """The coarse class of each fine class; those of several data sets are joined by ``|``.

    Parameters
    ----------
    relation
        M, n_fine x n_coarse, 0 or 1.
    coarse_names
        Coarse label of each column.
    coarse_dataset
        Data set of each column.
    """
    blocks = [np.flatnonzero(coarse_dataset == name) for name in dict.fromkeys(coarse_dataset.tolist())]
    names = []
    for row in relation:
        parents = [str(coarse_names[column]) for block in blocks for column in block[row[block] == 1]]
        names.append("|".join(dict.fromkeys(parents)))  # data sets that agree on the name give it once
    return names


def fine_names(relation: NDArray[Any], coarse_names: NDArray[Any], coarse_dataset: NDArray[Any]) -> list[str]:
    """``"<coarse>:<i>"``, all different; i counts the fine classes of one parent in the order of their numbers.

    The parameters are those of :func:`parent_names`.
    """
    next_number: Counter[str] = Counter()
    names = []
    for parent in parent_names(relation, coarse_names, coarse_dataset):
        names.append(f"{parent}:{next_number[parent]}")
        next_number[parent] += 1
    return names
