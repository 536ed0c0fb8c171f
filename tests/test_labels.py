from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from falcon_sc._labels import read_labels, warn_missing


def _adata(column) -> AnnData:
    index = [f"c{i}" for i in range(len(column))]
    return AnnData(np.ones((len(column), 1)), obs=pd.DataFrame({"coarse": pd.Series(column, index=index)}))


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
    ],
)
def test_values(column, values, known) -> None:
    column = column.to_list() if isinstance(column, pd.Series) else column
    labels = read_labels(_adata(column), "coarse", "coarse_key")
    np.testing.assert_array_equal(labels.values, values)
    np.testing.assert_array_equal(labels.known, known)
    assert labels.values.dtype.kind == ("U" if isinstance(values[0], str) else "i")


def test_numbers_sort_as_numbers() -> None:
    np.testing.assert_array_equal(read_labels(_adata([10, 2, 1]), "coarse", "k").names, [1, 2, 10])


def test_fractions_are_refused() -> None:
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
