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


def test_numbers_stay_exact_beyond_floats_and_signs():
    coarse = np.array([2**53, 2**53 + 1, 2**63, 2**63 + 1], dtype=np.uint64)
    taxonomy = Taxonomy.of(coarse)
    assert taxonomy.names == (2**53, 2**53 + 1, 2**63, 2**63 + 1)
    assert taxonomy.encode(coarse).tolist() == [0, 1, 2, 3]
    assert Taxonomy.of([-1, 2**63 + 1]).names == (-1, 2**63 + 1)


def test_whole_floats_are_whole_numbers():
    """A column of ints with missing labels is one of floats."""
    taxonomy = Taxonomy.of(np.array([10.0, 2.0, np.nan]))
    assert taxonomy.names == (2, 10)
    assert taxonomy.encode(np.array([10, 2])).tolist() == [1, 0]
    assert taxonomy.encode(np.array([np.nan, 2.0])).tolist() == [-1, 0]
    assert taxonomy.encode(["10", "2"]).tolist() == [1, 0]


@pytest.mark.parametrize("coarse", [[1, "1"], [True, 1], [1, 0.5], np.array([1, "a", 2], dtype=object)])
def test_kinds_are_not_mixed(coarse):
    with pytest.raises(ValueError, match=r"coarse (mixes labels|holds numbers that are not whole)"):
        Taxonomy.of(coarse)


def test_an_equal_label_of_another_kind_is_another_label():
    with pytest.raises(ValueError, match=r"does not know: \['True'\]"):
        Taxonomy.of([1, 2]).encode([True, 2])


def test_data_sets_are_checked():
    with pytest.raises(ValueError, match="dataset has 1 entries, coarse has 2 labels"):
        Taxonomy.of(["a", "b"], ["one"])
    with pytest.raises(ValueError, match="dataset is missing for 1 samples"):
        Taxonomy.of(["a", "b"], ["one", None])
    taxonomy = Taxonomy.of(["a", "b"], [1, 2])
    assert taxonomy.encode(["a", "b"], ["1", "2"]).tolist() == [0, 1]
    with pytest.raises(ValueError, match="dataset holds '3', the model knows '1', '2'"):
        taxonomy.encode(["a"], [3])
    with pytest.raises(ValueError, match=r"does not know: \['b'\]"):
        taxonomy.encode(["b"], [1])


def test_reference_has_most_classes():
    assert Taxonomy.of(["a", "b", "c", "d", "e"], [1, 2, 2, 3, 3]).reference == 1
