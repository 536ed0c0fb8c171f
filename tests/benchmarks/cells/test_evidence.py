from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from falcon_sc.benchmarks.cells import evidence


def test_run(tmp_path, capsys):
    table = evidence.run(
        out=tmp_path, seeds=1, n_vars=200, sizes=(60,), depths=(1000,), planted_sizes=(120,), difficulties=(0.2,)
    )
    assert table.columns.tolist() == [
        "values", "cells", "cells_per_class", "mean_counts", "difficulty", "seed", "n_coarse", "planted", "found", "divided",
        "supported", "right", "seconds",
    ]  # fmt: skip
    assert table["values"].tolist() == ["counts", "counts, donors told", "30 components", "counts"]
    one_type, planted = table[:3], table.iloc[3]
    assert (one_type[["n_coarse", "planted"]] == 8).all(axis=None)
    assert (one_type["right"] == 0).all()  # there is nothing to be right about
    assert (one_type["found"] >= 8 + one_type["divided"]).all()
    assert one_type["difficulty"].isna().all()
    assert (planted["n_coarse"], planted["planted"]) == (4, 14)
    assert 0 < planted["right"] <= planted["supported"]  # types that differ this much are found
    assert planted["supported"] <= planted["found"] - 4
    assert {path.name for path in tmp_path.iterdir()} == {
        "evidence.csv", "evidence_one_type.csv", "evidence_one_type.md", "evidence_planted.csv", "evidence_planted.md",
    }  # fmt: skip
    assert len(pd.read_csv(tmp_path / "evidence.csv")) == 4
    assert "'planted': 14" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ([50, 2, 0], [3, 40, 0], True),
        ([50, 2, 30], [3, 40, 20], True),  # a third type may be on both sides
        ([50, 2, 0], [40, 3, 0], False),  # one type is divided
        ([60, 20, 0], [40, 41, 0], False),  # another has most cells on the right, but neither is parted from the other
    ],
)
def test_what_is_right(left, right, expected):
    assert evidence.is_between_types(np.array(left), np.array(right)) is expected
    assert evidence.is_between_types(np.array(right), np.array(left)) is expected


def test_summaries():
    about = {"values": "counts", "difficulty": np.nan, "planted": 8, "found": 8, "supported": 0, "right": 0}
    one_type = [
        {**about, "cells": "one type", "cells_per_class": size, "mean_counts": depth, "n_coarse": 8, "divided": divided}
        for size, depth, divided in [(50, 1000, 0), (50, 3000, 2), (300, 1000, 0), (300, 3000, 0)]
    ]
    planted = [
        {
            **about, "cells": "planted", "cells_per_class": 300, "mean_counts": 3000, "difficulty": 0.7, "n_coarse": 4,
            "planted": 14, "found": found, "supported": supported, "right": right, "divided": 4,
        }
        for found, supported, right in [(8, 3, 3), (10, 5, 3)]
    ]  # fmt: skip
    table = pd.DataFrame(one_type + planted)
    summary = evidence.summarize_one_type(table)
    assert summary["cells_per_class"].tolist() == [50, 300, "all"]
    assert summary["classes"].tolist() == [16, 16, 32]
    assert summary["3,000 molecules"].tolist() == [25, 0, 12.5]
    assert summary["divided %"].tolist() == [12.5, 0, 6.25]
    (found,) = evidence.summarize_planted(table).to_dict("records")
    assert (found["found"], found["supported"], found["right %"]) == (9, 4, 75)
