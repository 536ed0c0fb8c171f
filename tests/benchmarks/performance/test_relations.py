from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from falcon_sc.benchmarks.performance import relations as benchmark
from falcon_sc.core import relations


def test_run_compares_the_solvers(tmp_path, capsys):
    table = benchmark.run(out=tmp_path, repeats=1, sizes=[(12, 4), (60, 10)], max_seconds=600)
    assert table["solver"].tolist() == 2 * ["flow", "scipy assignment", "gurobi quadratic", "gurobi piecewise linear"]
    assert (table["n_fine"] * 100 + table["n_coarse"]).tolist() == 4 * [1204] + 4 * [6010]
    solved = table[table["problems"] > 0]
    assert (solved["median_ms"] > 0).all()
    assert (solved["max_ms"] >= solved["median_ms"]).all()
    assert (solved["difference"] < 1e-9).all()
    assert (solved.loc[solved["solver"] != "gurobi quadratic", "problems"] == len(benchmark.LAMS)).all()
    assert (tmp_path / "relations.md").exists()
    assert len(pd.read_csv(tmp_path / "relations.csv")) == 8
    assert "60 x 10: flow" in capsys.readouterr().out


def test_run_keeps_to_its_time():
    table = benchmark.run(repeats=1, sizes=[(12, 4)], max_seconds=1e-9)
    assert (table["problems"] == 0).all()
    assert table["remark"].str.contains("stopped after").all()


@pytest.mark.parametrize("lam", benchmark.LAMS)
def test_assignment_to_few_places_is_exact(lam):
    rng = np.random.default_rng(0)
    for n_fine, n_coarse in [(5, 5), (9, 1), (30, 4), (83, 27)] * 5:
        cost = benchmark.simulate_cost(n_fine, n_coarse, rng)
        M = benchmark.by_assignment(cost, lam)
        assert (M.sum(axis=1) == 1).all()
        assert (M.sum(axis=0) >= 1).all()
        best = relations.objective(relations.solve(cost, lam), cost, lam)
        assert relations.objective(M, cost, lam) == pytest.approx(best, abs=1e-13)


def test_simulated_cost_is_a_distribution_with_every_class_in_it():
    cost = benchmark.simulate_cost(83, 27, np.random.default_rng(0))
    assert cost.shape == (83, 27)
    assert (cost >= 0).all()
    assert cost.sum() == pytest.approx(1)
    masses = cost.sum(axis=0)
    assert masses.min() > 0
    assert masses.max() > 3 * masses.min()
