from __future__ import annotations

import pandas as pd
import pytest

from falcon_sc.benchmarks.robustness import missing_genes

EASY = {"n_obs": 200, "n_vars": 60, "n_coarse": 2, "n_fine": 4, "gini": 0.1, "difficulty": 0.3}


def test_run(tmp_path) -> None:
    table = missing_genes.run(out=tmp_path, seeds=1, shares=(0.0, 0.2), simulations={"easy": EASY}, pbmc=False)
    assert len(table) == 2 * 2 * 2  # ways to drop, shares, fillings
    none = table[table["share"] == 0]
    assert (none["kept"] == 100).all()
    assert (none["variance"] == 0).all()
    some = table[table["share"] > 0].set_index(["dropped", "filled_with"])
    assert some.loc[("most variable", "mean"), "variance"] > some.loc[("at random", "mean"), "variance"] > 0
    assert len(pd.read_csv(tmp_path / "missing_genes.csv")) == 8
    assert (tmp_path / "missing_genes_means.md").exists()


def test_no_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match="seeds must be at least 1, found 0"):
        missing_genes.run(seeds=0)
