"""Names of fine classes: the coarse class each hangs under, and a running number."""

from __future__ import annotations

from collections import Counter

import numpy as np


def fine_names(relation: np.ndarray, coarse_names: np.ndarray, coarse_dataset: np.ndarray) -> np.ndarray:
    """``"<coarse>:<i>"``, with the parents of all data sets joined by ``|``.

    Parameters
    ----------
    relation
        M, n_fine x n_coarse, 0 or 1; fine classes of one parent in the order of their numbers.
    coarse_names
        Coarse label of each column.
    coarse_dataset
        Data set of each column.

    Returns
    -------
    str, n_fine, all different.
    """
    blocks = [np.flatnonzero(coarse_dataset == name) for name in dict.fromkeys(coarse_dataset.tolist())]
    next_number: Counter[str] = Counter()
    names = []
    for row in relation:
        parents = [str(coarse_names[column]) for block in blocks for column in block[row[block] == 1]]
        parent = "|".join(dict.fromkeys(parents))  # data sets that agree on the name give it once
        names.append(f"{parent}:{next_number[parent]}")
        next_number[parent] += 1
    return np.array(names, dtype=np.str_)
