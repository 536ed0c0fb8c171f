from __future__ import annotations

import numpy as np
import pytest

from falcon_sc.core.data.naming import fine_names, parent_names


@pytest.mark.parametrize(
    ("relation", "coarse", "dataset", "names"),
    [
        ([[1, 0], [1, 0], [0, 1]], ["CD4/CD8", "µ b"], [0, 0], ["CD4/CD8:0", "CD4/CD8:1", "µ b:0"]),
        ([[1, 0], [0, 1], [1, 0]], [3, 10], [0, 0], ["3:0", "10:0", "3:1"]),
        # two data sets: parents joined, given once where they agree
        (
            [[1, 0, 1, 0], [1, 0, 1, 0], [0, 1, 1, 0], [0, 1, 0, 1]],
            ["T", "B", "lymphoid", "B"],
            ["x", "x", "y", "y"],
            ["T|lymphoid:0", "T|lymphoid:1", "B|lymphoid:0", "B:0"],
        ),
    ],
    ids=["one", "numbers", "two"],
)
def test_names(relation, coarse, dataset, names) -> None:
    result = fine_names(np.array(relation, dtype=np.uint8), np.array(coarse), np.array(dataset))
    assert result == names
    assert parent_names(np.array(relation), np.array(coarse), np.array(dataset)) == [n.partition(":")[0] for n in names]
