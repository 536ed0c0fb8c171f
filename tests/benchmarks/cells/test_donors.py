from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from falcon_sc.benchmarks.cells import donors

STRONG: dict[str, Any] = {"n_obs": 300, "n_vars": 120, "n_coarse": 2, "n_fine": 4, "gini": 0.1, "donor_effect": 2.0}


@pytest.mark.usefixtures("two_epochs")
def test_run(tmp_path):
    table = donors.run(out=tmp_path, seeds=1, simulations={"strong": STRONG})
    assert table["method"].tolist() == ["fine labels", "falcon_sc", "falcon_sc, batch_key"]
    found = table.set_index("method")
    assert found.loc["fine labels", "accuracy"] == 100
    assert found.loc["fine labels", "one_donor"] == 0
    assert found.loc["falcon_sc", "donor_information"] > found.loc["falcon_sc, batch_key", "donor_information"]
    assert len(pd.read_csv(tmp_path / "donors.csv")) == 3
    assert (tmp_path / "donors_means.md").exists()


def test_one_donor_counts_the_cells_of_its_classes():
    coarse = np.repeat(["a", "b"], [40, 10])
    donor = np.array(20 * ["x"] + 20 * ["y"] + 10 * ["x"])  # b is one donor's altogether: not the method's doing
    labels = np.array(10 * ["1"] + 10 * ["2"] + 20 * ["2"] + 10 * ["3"])
    assert donors.one_donor(labels, coarse, donor) == pytest.approx(10 / 50)


def test_donor_information():
    coarse, donor = np.array(40 * ["a"]), np.tile(["x", "y"], 20)
    assert donors.donor_information(donor, coarse, donor) == pytest.approx(1)
    assert donors.donor_information(coarse, coarse, donor) == pytest.approx(0)
    assert donors.donor_information(coarse, coarse, coarse) == 0
