from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from falcon_sc.core.data.columns import by_name, column_names

TABLE = pd.DataFrame({"a": [1.0, 2], "b": [3.0, 4], "c": [5.0, 6]})


def test_column_names():
    assert column_names(TABLE) == ["a", "b", "c"]
    for table in (TABLE.to_numpy(), TABLE.set_axis([0, 1, 2], axis=1), TABLE.set_axis(["a", "b", "a"], axis=1)):
        assert column_names(table) is None


def test_by_name():
    assert by_name(TABLE, ["c", "a"], "X").to_numpy().tolist() == [[5, 1], [6, 2]]
    assert by_name(TABLE, np.array(["a", "b", "c"]), "X") is TABLE
    numbered = TABLE.set_axis([2, 1, 0], axis=1)
    for table, names in ((TABLE, None), (numbered, ["a", "b", "c"]), (TABLE.to_numpy(), ["b", "a", "c"])):
        assert by_name(table, names, "X") is table
    with pytest.raises(
        ValueError, match=r"X has no columns 'd', by whose names the model goes; it has 'a', 'b', 'c'\."
    ):
        by_name(TABLE, ["a", "d"], "X")
