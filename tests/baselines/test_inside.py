from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcon_sc.baselines._inside import CoarseClasses, share_out


def test_join_orders_by_coarse_class_then_falling_size():
    coarse = np.array(["b", "a", "b", "a", "b", "a"])
    classes = CoarseClasses.of(np.zeros((6, 1)), coarse, 4)
    assert classes.names.tolist() == ["a", "b"]
    labels, counts = classes.join([np.array([7, 2, 2]), np.array([0, 1, 1])])  # the number 7 is a gap, not a class
    assert labels.tolist() == [2 + 1, 1, 2, 0, 2, 0]
    assert counts.tolist() == [2, 2]


def test_share_out_takes_the_largest_falls():
    costs = [[100, 60, 59, 58], [100, 85, 20, 10], [10, 10, 10, 10]]

    def shared(total: int) -> list[int]:
        return share_out(lambda c, k: costs[c][k - 1], total, np.array([4, 4, 4])).tolist()

    # one step at a time: 40 of the first class, 15 of the second, then the 65 that were behind it
    assert [shared(total) for total in (3, 4, 5, 6)] == [[1, 1, 1], [2, 1, 1], [2, 2, 1], [2, 3, 1]]


@given(
    largest=st.lists(st.integers(1, 5), min_size=1, max_size=5),
    extra=st.integers(0, 30),
    seed=st.integers(0, 2**32 - 1),
)
def test_share_out_hits_the_total_where_it_can(largest, extra, seed):
    costs = np.random.default_rng(seed).normal(size=(len(largest), 6))
    counts = share_out(lambda c, k: costs[c, k - 1], len(largest) + extra, np.array(largest))
    assert counts.sum() == min(len(largest) + extra, sum(largest))
    assert (counts >= 1).all()
    assert (counts <= largest).all()


@pytest.mark.parametrize(
    ("coarse", "n_fine", "message"),
    [
        (["a", "b", "b"], 1, "n_fine=1 is smaller than the number of coarse classes, 2"),
        (["a", "b", "b"], 4, "n_fine=4 is larger than the number of coarse labels, 3"),
        (["a", "b"], 2, "coarse has 2 labels, X has 3 samples"),
        (["a", None, "b"], 2, "coarse is missing for 1 samples"),
        (["a", "b", "b"], {"a": 1}, "no number for the coarse classes 'b'"),
    ],
)
def test_refusals(coarse, n_fine, message):
    with pytest.raises(ValueError, match=message):
        CoarseClasses.of(np.zeros((3, 2)), coarse, n_fine)
