from __future__ import annotations

import pandas as pd
import pytest

from falcon_sc import baselines
from falcon_sc.benchmarks.paper import digits


def test_a_row_for_each_run(tmp_path):
    methods = ["FairKMeans", "SCANC", "TURTLE", "UpperBound", "Falcon"]
    table = digits.run(out=tmp_path, seeds=2, methods=methods, max_epochs=1)
    assert table["method"].tolist() == [name for name in methods for _ in range(2)]
    assert table["accuracy"].between(10, 100).all()
    assert len(pd.read_csv(tmp_path / "digits.csv")) == 10


def test_every_baseline_but_those_of_extras_is_there():
    systems = set(baselines.__all__) - {
        "FairLeiden",
        "SCVILeiden",
        "PeakCounts",
        "count_density_peaks",
    }  # the last counts classes
    assert set(digits.METHODS) - {"Falcon"} == systems


def test_an_unknown_method_is_named():
    with pytest.raises(ValueError, match=r"methods: \['KNN'\] are not among"):
        digits.run(methods=["KNN"])
