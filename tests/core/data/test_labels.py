"""Labels are kept exactly, whatever held them, or refused with a sentence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from falcon_sc.core.data.labels import (
    as_array,
    check_one_kind,
    distinct,
    listed,
    match,
    missing_as_text,
    plain_label,
    whole_number,
)

BIG = 2**53
HUGE = 2**63


def test_listed_cuts_long_lists() -> None:
    assert listed(["a", 1]) == "'a', '1'"
    assert listed(range(23)).endswith("'19' and 3 more")
    assert listed([]) == "none"


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (np.array([BIG, BIG + 1, BIG]), [BIG, BIG + 1, BIG]),
        (np.array([HUGE, HUGE + 1], dtype=np.uint64), [HUGE, HUGE + 1]),
        ([-1, HUGE + 1, 2**70], [-1, HUGE + 1, 2**70]),
        (np.array([10.0, 2.0, np.nan]), [10, 2, None]),
        (np.array([10.0, 2.0, np.nan], dtype=np.float32), [10, 2, None]),
        (np.array([3.0, "3", None, pd.NA, np.nan], dtype=object), [3, "3", None, None, None]),
        ([1, True, 1.0, "1"], [1, True, 1, "1"]),
        (np.array(["b", "a"]), ["b", "a"]),
        (np.array([BIG + 1, 7], dtype=">i8"), [BIG + 1, 7]),  # as files of other machines hold them
        (pd.Series([3.0, np.nan], dtype=">f4"), [3, None]),
        (np.ma.masked_array([4, 5, 4], mask=[False, True, False]), [4, None, 4]),
        (np.ma.masked_array(["x", "y"], mask=[True, False]), [None, "y"]),
        (np.array([True, False]), [True, False]),
        (torch.tensor([4, 3]), [4, 3]),
        (pd.Series([BIG + 1, None], dtype="Int64"), [BIG + 1, None]),
        (pd.Series([HUGE + 1, None], dtype="UInt64"), [HUGE + 1, None]),
        (pd.Series(["x", None], dtype="string"), ["x", None]),
        (pd.Series(["x", None], dtype="str"), ["x", None]),
        (pd.Series([True, None], dtype="boolean"), [True, None]),
        (pd.Series(["b", None, "a"], dtype=pd.CategoricalDtype(["c", "b", "a"])), ["b", None, "a"]),
        (pd.Categorical([BIG + 1, None, BIG]), [BIG + 1, None, BIG]),
        (pd.Categorical([3.0, None]), [3, None]),
        (pd.Categorical(["x", "y"]), ["x", "y"]),
        (pd.Index([7, 8]), [7, 8]),
        ([("T", 1), None], [("T", 1), None]),
        ([], []),
    ],
)
def test_distinct(values, labels) -> None:
    codes, found = distinct(values, "coarse")
    back = [None if code < 0 else found[code] for code in codes]
    assert list(map(type, back)) == list(map(type, labels))
    assert back == labels
    assert codes.dtype == np.int64
    assert sorted(set(codes[codes >= 0].tolist())) == list(range(len(found)))


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ([float(BIG)], ValueError, r"coarse holds whole numbers as large as 9007199254740992 as float.*'Int64'"),
        (np.array([1.0, BIG + 2, np.nan]), ValueError, "as large as 9007199254740994 as float64"),
        (np.array([2.0**24, 1.0], dtype=np.float32), ValueError, "as large as 16777216 as float32"),
        (["T", "T\0"], ValueError, r"coarse holds a label with a NUL character, 'T\\x00'"),
        (pd.Series(["T", "T\0"]), ValueError, "NUL character"),
        (["T", "T\ud800"], ValueError, r"coarse holds a label with half a character, 'T\\ud800', which no file takes"),
        (pd.Categorical.from_codes([0], ["T\0"]), ValueError, "NUL character"),  # pandas 2 itself merges it with "T"
        (np.array([b"T"]), TypeError, r"coarse holds bytes, such as b'T': decode them"),
        ([["a"], ["b"]], TypeError, "coarse holds something that is no label .*unhashable type: 'list'"),
        (np.array([["a", "b"]]), ValueError, r"coarse must hold one label for each sample, .* shape \(1, 2\)"),
        ("T cell", ValueError, r"coarse must hold one label for each sample, .* shape \(\)"),
    ],
)
def test_what_cannot_be_kept_is_refused(values, error, message: str) -> None:
    with pytest.raises(error, match=message):
        distinct(values, "coarse")


@pytest.mark.parametrize(
    ("value", "number"),
    [(3, 3), (np.int8(3), 3), (np.uint64(HUGE), HUGE), (np.float64(3), 3), (np.array(3), 3), (np.array(3.0), 3),
     (3.0, None), (np.float32(3.5), None), (np.nan, None), (np.float64(np.inf), None), (True, None),
     (np.True_, None), ("3", None), (None, None), (np.array([3]), None)],
)  # fmt: skip
def test_whole_number(value: object, number: int | None) -> None:
    found = whole_number(value)
    assert found == number
    assert type(found) is type(number)


@pytest.mark.parametrize(
    ("given", "names", "places"),
    [
        ([3.0, np.int64(10), "7"], [3, 7, 10], [0, 2, 1]),
        ([3, 10.0, "7.0"], ["10", "3", "7.0"], [1, 0, 2]),
        ([3.0], ["3.0"], [0]),
        ([True, "False"], ["False", "True"], [1, 0]),
        ([True, 1], [1, 2], [-1, 0]),
        ([1, True], [False, True], [-1, 1]),
        (["03", "3 ", None, np.nan, ("a",)], [3], [-1] * 5),
        ([("a", 1)], ["('a', 1)"], [0]),
        ([BIG + 1], [BIG, BIG + 1], [1]),
    ],
)
def test_match(given, names, places) -> None:
    assert match(given, names) == places


def test_one_kind() -> None:
    for labels in (["a", "b"], [1, 2**70], [True, False], []):
        check_one_kind(labels, "coarse")
    with pytest.raises(ValueError, match=r"coarse mixes labels of several kinds, such as 1 \(int\) and 'a' \(str\)"):
        check_one_kind([1, "a", 2], "coarse")
    with pytest.raises(ValueError, match=r"coarse holds numbers that are not whole, such as 0\.5"):
        check_one_kind([1, 0.5], "coarse")
    with pytest.raises(ValueError, match="coarse holds numbers that are not whole, such as inf"):
        check_one_kind(distinct([1.0, np.inf], "coarse")[1], "coarse")
    with pytest.raises(TypeError, match=r"coarse holds tuple objects, such as \('a', 1\): labels must be text"):
        check_one_kind([("a", 1)], "coarse")


def test_missing_as_text() -> None:
    assert missing_as_text(["nan", "T", " ", "<NA>", "None", "Nan cells", 0, "NA"]) == [
        "nan",
        " ",
        "<NA>",
        "None",
        "NA",
    ]


@pytest.mark.parametrize("labels", [[-1, HUGE + 1], [1, 2**70], [HUGE, HUGE + 1], ["a", "bc"], [True, False], []])
def test_as_array(labels) -> None:
    assert as_array(labels).tolist() == labels
    assert as_array(labels).ndim == 1


def test_other_objects_stay_as_they_are() -> None:
    day = pd.Timestamp("2024-01-01")
    assert plain_label(day) is day
    assert plain_label(pd.NaT) is None
    assert plain_label(0.5) == 0.5
