"""One check of `n_fine` for cells, images and arrays."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest

from falcon_sc.core.data.budget import fine_budget, fixed_numbers
from falcon_sc.core.data.taxonomy import Taxonomy


def budget(n_fine, coarse, dataset=None):
    taxonomy = Taxonomy.of(coarse, dataset)
    return fine_budget(n_fine, taxonomy, taxonomy.encode(coarse, dataset), len(coarse))


TEXT, NUMBERS = ["a", "a", "b", "b", "b"], [2, 2, 10, 10, 10]


@pytest.mark.parametrize("n_fine", [2, np.int64(3), np.float64(4), np.array(3)])
def test_total(n_fine) -> None:
    found = budget(n_fine, TEXT)
    assert found == n_fine
    assert type(found) is int


@pytest.mark.parametrize(
    ("n_fine", "coarse"),
    [
        ({"a": 1, "b": 2}, TEXT),
        ({"b": np.int8(2), "a": np.float64(1)}, TEXT),
        (MappingProxyType({"a": 1, "b": 2}), TEXT),
        (pd.Series({"b": 2, "a": 1}), TEXT),
        (pd.Series({"b": 2.0, "a": 1.0}), TEXT),  # pandas makes numbers floats where it aligns or divides
        (pd.Series([2, 1], index=pd.Categorical(["b", "a"])), TEXT),
        ({2: 1, 10: 2}, NUMBERS),
        ({2.0: 1, np.float64(10): 2}, NUMBERS),
        ({np.int32(2): 1, "10": 2}, NUMBERS),
        (pd.Series([1, 2], index=[2.0, 10.0]), NUMBERS),
        ({2: 1, 3.0: 2}, ["2", "2", "3", "3", "3"]),
        ({False: 1, True: 2}, [False, True, True]),
        ({2**53 + 1: 1, 2**53 + 2: 2}, np.array([2**53 + 1, 2**53 + 2, 2**53 + 2])),
    ],
)
def test_number_for_each_class(n_fine, coarse) -> None:
    found = budget(n_fine, coarse)
    assert found.tolist() == [1, 2]
    assert found.dtype == np.int64


@pytest.mark.parametrize(
    ("n_fine", "error", "message"),
    [
        (1, ValueError, "n_fine=1 is smaller than the number of coarse classes, 2: every class needs"),
        (6, ValueError, "n_fine=6 is larger than the number of coarse labels, 5: ask for fewer"),
        (5, ValueError, "n_fine=5 is larger than 4: a coarse class of one or two members stays one fine class"),
        (2.0, TypeError, r"n_fine must be an int, or a mapping .*, found 2\.0 \(float\)"),
        (np.float64(2.5), TypeError, r"n_fine must be an int.* \(float64\)"),
        (True, TypeError, r"n_fine must be an int.* found True \(bool\)"),
        ("auto", TypeError, r"n_fine must be an int.* found 'auto' \(str\)"),
        ([1, 2], TypeError, r"n_fine must be an int.* found \[1, 2\] \(list\)"),
        ({"a": 1}, ValueError, "n_fine has no number for the coarse classes 'b': give one for each class"),
        ({}, ValueError, "no number for the coarse classes 'a', 'b'"),
        ({"a": 1, "b": 1, "c": 1}, ValueError, "n_fine names 'c', which is no coarse class here.* 'a', 'b'"),
        ({"a": 1, "b": 1, np.nan: 1}, ValueError, "n_fine names 'nan', which is no coarse class"),
        (pd.Series([1, 2, 1], index=["a", "b", "a"]), ValueError, "names the coarse class 'a' twice, as 'a' and 'a'"),
        ({"a": 3, "b": 1}, ValueError, r"n_fine\['a'\]=3 must be from 1 to the number of members of that class, 2"),
        ({"a": 0, "b": 1}, ValueError, r"n_fine\['a'\]=0 must be from 1"),
        ({"a": "1", "b": 1}, TypeError, r"n_fine\['a'\] must be an int, found '1' \(str\)"),
        ({"a": 1.5, "b": 1}, TypeError, r"n_fine\['a'\] must be an int, found 1\.5 \(float\)"),
    ],
)
def test_mistakes(n_fine, error, message: str) -> None:
    with pytest.raises(error, match=message):
        budget(n_fine, TEXT)


def test_one_class_under_two_keys() -> None:
    with pytest.raises(ValueError, match=r"names the coarse class 2 twice, as 2 and '2': once"):
        budget({2: 1, "2": 1, 10: 1}, NUMBERS)


def test_several_data_sets() -> None:
    """The fine classes are first found in the data set with most coarse classes, so they must fit there."""
    coarse, dataset = [*"abcabcab", *"xxxyyyyyyy"], ["one"] * 8 + ["two"] * 10
    assert budget(7, coarse, dataset) == 7
    with pytest.raises(
        ValueError, match="n_fine=8 is larger than 7 of the data set 'one': a coarse class of one or two"
    ):
        budget(8, coarse, dataset)
    with pytest.raises(ValueError, match="larger than the number of coarse labels of the data set 'one', 8"):
        budget(9, coarse, dataset)
    with pytest.raises(ValueError, match="smaller than the number of coarse classes, 3"):
        budget(2, coarse, dataset)
    with pytest.raises(ValueError, match="cannot be a mapping with several data sets"):
        budget({"a": 1}, coarse, dataset)


def test_labels_and_samples() -> None:
    taxonomy = Taxonomy.of(TEXT)
    with pytest.raises(ValueError, match="coarse has 5 labels, X has 4 samples"):
        fine_budget(2, taxonomy, taxonomy.encode(TEXT), 4)
    with pytest.raises(ValueError, match="coarse is missing for 1 samples"):
        fine_budget(2, taxonomy, taxonomy.encode(["a", None]), 2)


def fixed(numbers, total, coarse, dataset=None):
    taxonomy = Taxonomy.of(coarse, dataset)
    return fixed_numbers(numbers, total, taxonomy, taxonomy.encode(coarse, dataset))


THREE = np.repeat(["a", "b", "c"], [5, 6, 1])


@pytest.mark.parametrize("numbers", [{"b": 3}, pd.Series({"b": 3.0}), MappingProxyType({"b": np.int16(3)})])
def test_some_numbers_are_fixed(numbers) -> None:
    found = fixed(numbers, 8, THREE)
    assert found.tolist() == [0, 3, 0]
    assert found.dtype == np.int64


def test_all_numbers_may_be_fixed() -> None:
    assert fixed({"a": 2, "b": 3, "c": 1}, 6, THREE).tolist() == [2, 3, 1]


@pytest.mark.parametrize(
    ("numbers", "total", "error", "message"),
    [
        ({"b": 3}, 4, ValueError, "n_fine=4 leaves 1 for the coarse classes that fixed does not name.*from 2 to 6"),
        ({"b": 3}, 10, ValueError, "n_fine=10 leaves 7 for the coarse classes that fixed does not name.*from 2 to 6"),
        ({"a": 2, "b": 3, "c": 1}, 7, ValueError, "n_fine=7 leaves 1 for .*, which can have none"),
        ({"d": 3}, 6, ValueError, "fixed names 'd', which is no coarse class here"),
        ({"b": 7}, 9, ValueError, r"fixed\['b'\]=7 must be from 1 to the number of members of that class, 6"),
        ({"b": "3"}, 9, TypeError, r"fixed\['b'\] must be an int, found '3' \(str\)"),
        ([3], 9, TypeError, r"fixed must be a mapping from coarse classes to ints, found \[3\] \(list\)"),
    ],
)
def test_fixed_numbers_that_cannot_be_had(numbers, total, error, message) -> None:
    with pytest.raises(error, match=message):
        fixed(numbers, total, THREE)


def test_data_sets_share_their_classes_so_none_is_fixed() -> None:
    with pytest.raises(ValueError, match="fixed cannot be used with several data sets"):
        fixed({"a": 2}, 5, THREE, np.repeat(["x", "y"], 6))
