from __future__ import annotations

import numpy as np
import pandas as pd

from falcon_sc.benchmarks.paper import departures
from falcon_sc.core.config import FalconConfig


def test_each_switch_alone_and_both_presets(tmp_path):
    table = departures.run(out=tmp_path, seeds=1, lengths=[1, 2])
    assert table["setting"].tolist() == [
        "text",
        "published code",
        *[f"text, {name} of the code" for name in departures.SWITCHES],
        "text",
        "published code",
    ]
    assert table["iterations"].tolist() == [15] * 7 + [30] * 2
    assert table["relation_updates"].tolist()[-2:] == [1, 1]
    assert len(pd.read_csv(tmp_path / "departures.csv")) == 9


def test_all_switches_together_are_the_published_code():
    text, code = FalconConfig.paper().to_dict(), FalconConfig.published().to_dict()
    for change in departures.SWITCHES.values():
        text |= change
    assert {name for name in code if code[name] != text[name]} <= {"anneal_share"}


def test_blobs_are_five_in_each_coarse_class():
    X, coarse, fine = departures.blobs()
    assert X.shape == (2000, 20)
    assert np.bincount(fine).tolist() == [100] * 20
    assert len(np.unique(np.column_stack([coarse, fine]), axis=0)) == 20
    assert np.bincount(coarse).tolist() == [500] * 4


def test_blobs_of_several_dimensions_are_a_row_each():
    table = departures.run(seeds=1, dims=(3, 5), lengths=[1])
    assert table["dims"].tolist() == [3] * 7 + [5] * 7
    assert departures.blobs(3)[0].shape == (2000, 3)
