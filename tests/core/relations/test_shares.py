from __future__ import annotations

import numpy as np

from falcon_sc.core.data.taxonomy import Taxonomy
from falcon_sc.core.relations import label_shares


def test_label_shares_are_those_of_a_slow_count() -> None:
    datasets = np.array(["x", "x", "y", "y", "y", "y"])
    coarse = np.array(["a", "b", "c", "c", "d", "d"])
    taxonomy = Taxonomy.of(coarse, datasets)
    labels = np.array([0, 1, 0, 1, 1, 1])
    slow = np.zeros((2, 4))
    for label, name, dataset in zip(labels, coarse, datasets, strict=True):
        slow[label, "abcd".index(name)] += 1 / (datasets == dataset).sum()
    np.testing.assert_allclose(label_shares(labels, taxonomy.encode(coarse, datasets), taxonomy.blocks, 2), slow)
