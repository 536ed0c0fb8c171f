from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from falcon_sc.benchmarks.cells import splits
from falcon_sc.core.start.start import Start
from falcon_sc.core.start.tree.forest import Tree

TINY: dict[str, Any] = {"n_obs": 200, "n_vars": 100, "n_coarse": 2, "n_fine": 5, "gini": 0.3, "difficulty": 0.3}


def test_run(tmp_path, capsys):
    table = splits.run(out=tmp_path, seeds=1, simulations={"easy": TINY})
    assert table.columns.tolist() == [
        "data", "seed", "n_fixed", "chosen_by", "false_splits", "missed_splits", "accuracy", "macro_accuracy", "ari",
        "confident_half", "other_half",
    ]  # fmt: skip
    assert table["n_fixed"].tolist() == [0, 1, 1, 2, 2]
    assert table["chosen_by"].tolist() == ["-", "size", "evidence", "size", "evidence"]
    assert (table["false_splits"] == table["missed_splits"]).all()  # the total is given
    assert (table.loc[table["n_fixed"] == 2, "false_splits"] == 0).all()  # all numbers, in the end
    assert (table.loc[table["n_fixed"] == 1, "false_splits"] == 0).all()  # of two classes, one decides the other
    assert table["accuracy"].between(0, 100).all()
    first = table.iloc[0]
    np.testing.assert_allclose((first["confident_half"] + first["other_half"]) / 2, first["accuracy"])  # 100 cells each
    assert table["confident_half"].notna().tolist() == [True, False, False, False, False]
    assert {path.name for path in tmp_path.iterdir()} == {"splits.csv", "splits_means.csv", "splits_means.md"}
    assert len(pd.read_csv(tmp_path / "splits.csv")) == 5
    assert "'n_fixed': 2" in capsys.readouterr().out


def test_quick_gives_the_numbers_too():
    table = splits.run(seeds=1, simulations={"easy": TINY}, quick=True)
    assert table["n_fixed"].tolist() == [0, 1, 1, 2, 2]
    assert (table.loc[table["n_fixed"] > 0, "false_splits"] == 0).all()


def _tree() -> Tree:
    """Three coarse classes of 100 cells with a split each: that of the first two is made, that of the third is not."""
    one, leaves = np.arange(3), np.arange(6)
    return Tree(
        left=leaves[::2], right=leaves[1::2], coarse=one, opens_at=np.full(3, 2), n_left=np.array([60, 60, 60]),
        n_right=np.array([40, 40, 40]), leaf_coarse=leaves // 2, class_of_leaf=np.array([0, 1, 2, 3, 4, 4]),
        comes_back=np.full(3, 0.5), agreement=np.full(3, 0.5), support=np.array([1.4, 0.2, 1.4]), markers=np.full(3, np.nan),
        depth=np.full(3, np.nan), batch=np.full(3, np.nan), supported=np.array([True, False, True]), gain=np.ones(3),
    )  # fmt: skip


def test_the_weakest_split_is_asked_about_first():
    assert splits.by_evidence(_tree(), 4).tolist() == [1, 0, 2, 3]  # of those not split, the one that could well be


def test_a_cut_is_moved_as_far_as_the_tree_goes():
    tree = _tree()
    start = Start(np.eye(3, dtype=np.uint8)[[0, 0, 1, 1, 2]], leaves=np.arange(6), tree=tree)
    for fixed, expected in (([1, 0, 0], [0, 0, 1, 2, 3, 4]), ([2, 2, 1], tree.class_of_leaf.tolist())):
        labels = splits.moved(start, np.array(fixed), 5)
        assert pd.factorize(labels)[0].tolist() == expected
    assert splits.moved(start, np.array([3, 0, 0]), 5) is None  # two leaves are there
    assert splits.moved(start, np.array([1, 0, 0]), 6) is None


def test_confidence_of_a_start():
    leaves = np.array([0, 1, 2, 3, 4, 5])
    tree = _tree()
    relation = np.eye(3, dtype=np.uint8)[[0, 0, 1, 1, 2]]
    agreement = np.full(6, 0.8, dtype=np.float32)
    start = Start(relation, tree.class_of_leaf[leaves], agreement, None, leaves, tree)
    # of 0.2 that the second split is supported, a half is left; the third one is supported, and would divide its class
    expected = 0.8 * np.array([1, 1, 0.6, 0.6, 1, 0.5])
    np.testing.assert_allclose(splits.confidence(start), expected, rtol=1e-6)
    without = Start(relation, start.labels, agreement)
    np.testing.assert_allclose(splits.confidence(without), 0.8, rtol=1e-6)
