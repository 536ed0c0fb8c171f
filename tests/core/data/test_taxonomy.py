from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from falcon_sc.core.data.taxonomy import Taxonomy


def test_columns_are_the_sorted_classes():
    taxonomy = Taxonomy.of(["b", "a", "b", "CD4/CD8"])
    assert taxonomy.names == ("CD4/CD8", "a", "b")
    assert taxonomy.encode(["a", "b"]).tolist() == [1, 2]
    assert taxonomy.blocks == [slice(0, 3)]


def test_data_sets_stand_side_by_side():
    coarse, dataset = ["x", "y", "y", "z"], ["one", "one", "two", "two"]
    taxonomy = Taxonomy.of(coarse, dataset)
    assert taxonomy.names == ("x", "y", "y", "z")
    assert taxonomy.blocks == [slice(0, 2), slice(2, 4)]
    assert taxonomy.encode(coarse, dataset).tolist() == [0, 1, 2, 3]


def test_missing_labels_are_minus_one():
    taxonomy = Taxonomy.of([1, 2])
    assert taxonomy.encode(np.array([2, None, np.nan], dtype=object)).tolist() == [1, -1, -1]
    assert taxonomy.encode(pd.Series(["1"]).map({"1": 1})).tolist() == [0]


def test_unknown_labels_are_listed():
    with pytest.raises(ValueError, match=r"does not know: \['c'\]"):
        Taxonomy.of(["a", "b"]).encode(["a", "c"])


def test_the_data_set_is_asked_for():
    with pytest.raises(ValueError, match="dataset is missing"):
        Taxonomy.of(["a", "b"], ["one", "two"]).encode(["a"])
