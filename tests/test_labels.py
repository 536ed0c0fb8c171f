from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from falcon_sc._labels import read_batch, read_groups, read_labels, warn_missing


def _adata(column) -> AnnData:
    column = pd.Series(column)
    column.index = [f"c{i}" for i in range(len(column))]
    return AnnData(np.ones((len(column), 1)), obs=pd.DataFrame({"coarse": column}))


@pytest.mark.parametrize(
    ("column", "values", "known"),
    [
        (["b", "a", None], ["b", "a"], [True, True, False]),
        (pd.Categorical(["b", "a", None], categories=["b", "a", "c"]), ["b", "a"], [True, True, False]),
        ([10, 2, 2], [10, 2, 2], [True] * 3),
        ([10.0, 2.0, np.nan], [10, 2], [True, True, False]),
        (pd.Categorical([10, 2, None]), [10, 2], [True, True, False]),
        (pd.array([10, 2, None], dtype="Int64"), [10, 2], [True, True, False]),
        (pd.array(["x", None, "y"], dtype="string"), ["x", "y"], [True, False, True]),
        (pd.Series([10, 2, "x"], dtype=object), ["10", "2", "x"], [True] * 3),
        ([True, False, True], ["True", "False", "True"], [True] * 3),
        ([2**53, 2**53 + 1, 2**53], [2**53, 2**53 + 1, 2**53], [True] * 3),
        (pd.array([2**53 + 1, None, 2**53], dtype="Int64"), [2**53 + 1, 2**53], [True, False, True]),
        (pd.Categorical([2**53 + 1, None, 2**53]), [2**53 + 1, 2**53], [True, False, True]),
        (pd.array([True, None, False], dtype="boolean"), ["True", "False"], [True, False, True]),
        (pd.Series([10.0, 2, None], dtype=object), [10, 2], [True, True, False]),
        (pd.Series([1.0, "x", None], dtype=object), ["1", "x"], [True, True, False]),
        (pd.Series([("T", 1), ("T", 2)], dtype=object), ["('T', 1)", "('T', 2)"], [True] * 2),
        (pd.to_datetime(["2024-01-01", None]), ["2024-01-01 00:00:00"], [True, False]),
    ],
)
def test_values(column, values, known) -> None:
    labels = read_labels(_adata(column), "coarse", "coarse_key")
    np.testing.assert_array_equal(labels.values, values)
    np.testing.assert_array_equal(labels.known, known)
    assert labels.names.dtype.kind == ("U" if isinstance(values[0], str) else "i")


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (np.array([2**63, 2**63 + 1], dtype=np.uint64), [2**63, 2**63 + 1]),
        (pd.Series([-1, 2**63 + 1], dtype=object), [-1, 2**63 + 1]),
        (pd.Series([2**70, 2**70 + 1], dtype=object), [2**70, 2**70 + 1]),
    ],
)
def test_numbers_that_int64_does_not_hold(column, values) -> None:
    labels = read_labels(_adata(column), "coarse", "coarse_key")
    assert labels.values.tolist() == values
    assert labels.names.tolist() == values


def test_text_of_arrow() -> None:
    pytest.importorskip("pyarrow")
    labels = read_labels(_adata(pd.array(["x", None, "y"], dtype="string[pyarrow]")), "coarse", "coarse_key")
    assert labels.values.tolist() == ["x", "y"]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([1, "1", 2], r"coarse_key='coarse' holds 1 \(int\) and '1' \(str\), which read the same: if they are one"),
        ([True, "True"], r"holds True \(bool\) and 'True' \(str\)"),
        ([1.0, "1"], r"holds 1 \(int\) and '1' \(str\)"),
        (["T", "T\0"], r"coarse_key='coarse' holds a label with a NUL character, 'T\\x00'"),
        ([2.0**53, 1.0], "coarse_key='coarse' holds whole numbers as large as 9007199254740992 as float"),
    ],
)
@pytest.mark.parametrize("read", [read_labels, read_groups])
def test_labels_that_would_merge_are_refused(column, message: str, read) -> None:
    with pytest.raises(ValueError, match=message):
        read(_adata(pd.Series(column, dtype=object)), "coarse", "coarse_key")


@pytest.mark.parametrize("text", ["nan", "NaN", "", " ", "None", "<NA>", "NA"])
@pytest.mark.parametrize("dtype", [object, "category", "str"])
def test_a_missing_label_that_became_text_is_named(text: str, dtype) -> None:
    adata = _adata(pd.Series(["T", text, "T"]).astype(dtype).to_numpy() if dtype is object else ["T", text, "T"])
    adata.obs["coarse"] = adata.obs["coarse"].astype(dtype)
    with pytest.warns(UserWarning, match=f"coarse_key='coarse' holds the text '{text}', .* like any other") as caught:
        labels = read_labels(adata, "coarse", "coarse_key")
    assert labels.values.tolist() == ["T", text, "T"]
    assert caught[0].filename == __file__
    advice = str(caught[0].message).partition("first: ")[2].removesuffix(".")
    exec(advice, {"adata": adata})
    assert read_labels(adata, "coarse", "coarse_key").values.tolist() == ["T", "T"]


@pytest.mark.parametrize(
    ("column", "alike"),
    [
        (["T cell", "T cell ", "B"], "'T cell', 'T cell '"),
        (["T cell", "T  cell", "t Cell"], "'T  cell', 'T cell', 't Cell'"),
        (["b", "B", "c", "C"], "'B', 'b'"),
    ],
)
def test_names_that_blanks_or_capitals_alone_tell_apart_are_a_warning(column, alike: str) -> None:
    with pytest.warns(
        UserWarning, match=f"coarse_key='coarse' holds {alike}, which blanks or capitals alone tell"
    ) as caught:
        labels = read_labels(_adata(column), "coarse", "coarse_key")
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert labels.values.tolist() == column  # they stay what they are
    read_groups(_adata(column), "coarse", "dataset_key")  # "s1" and "S1" may be two samples


def test_groups_and_batches() -> None:
    adata = _adata([10, 2, 10])
    assert read_groups(adata, "coarse", "dataset_key").tolist() == [10, 2, 10]
    assert read_batch(adata, "coarse").tolist() == [1, 0, 1]
    adata.obs["dose"] = [0.5, 1.0, 0.5]
    assert read_groups(adata, "dose", "batch_key").tolist() == ["0.5", "1", "0.5"]
    adata.obs["some"] = [1.0, np.nan, 1.0]
    with pytest.raises(ValueError, match=r"batch_key='some' is missing \(NA\) for 1 cells: fill or remove"):
        read_batch(adata, "some")


def test_numbers_sort_as_numbers() -> None:
    np.testing.assert_array_equal(read_labels(_adata([10, 2, 1]), "coarse", "k").names, [1, 2, 10])


def test_fractions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"coarse_key='coarse' holds fractions such as inf"):
        read_labels(_adata([1.0, np.inf]), "coarse", "coarse_key")
    with pytest.raises(ValueError, match=r"coarse_key='coarse' holds fractions such as 0\.5"):
        read_labels(_adata([1.0, 0.5]), "coarse", "coarse_key")


def test_nothing_known() -> None:
    with pytest.raises(ValueError, match="coarse_key='coarse' holds only missing values"):
        read_labels(_adata(pd.Categorical([None, None], categories=["a"])), "coarse", "coarse_key")


def test_unused_categories_are_ignored_and_named(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "falcon_sc"):
        labels = read_labels(_adata(pd.Categorical(["a", "b"], categories=["a", "b", "ghost"])), "coarse", "k")
    assert labels.names.tolist() == ["a", "b"]
    assert "'ghost'" in caplog.text


def test_warning_counts_the_missing() -> None:
    labels = read_labels(_adata(["a", None, None]), "coarse", "coarse_key")
    with pytest.warns(UserWarning, match=r"missing \(NA\) for 2 of 3 cells: they are left out"):
        warn_missing(labels, "coarse", "coarse_key", "they are left out")
    warn_missing(read_labels(_adata(["a", "b"]), "coarse", "coarse_key"), "coarse", "coarse_key", "nothing")


def test_labels_of_all_cells_and_their_numbers() -> None:
    labels = read_labels(_adata(["b", None, "a", "b"]), "coarse", "coarse_key")
    assert labels.names.tolist() == ["a", "b"]
    assert labels.codes.tolist() == [1, 0, 1]
    assert labels.sizes.tolist() == [1, 2]
    assert labels.of_all().codes.tolist() == [1, -1, 0, 1]
