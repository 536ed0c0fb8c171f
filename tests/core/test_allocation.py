from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from falcon_sc.core import allocation

gains = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=12)


@given(gains)
def test_non_increasing_is_the_isotonic_regression(values: list[float]) -> None:
    y = np.array(values)
    expected = IsotonicRegression(increasing=False).fit_transform(np.arange(len(y)), y)
    np.testing.assert_allclose(allocation.non_increasing(y), expected, atol=1e-9)


def test_non_increasing_of_nothing() -> None:
    assert allocation.non_increasing(np.zeros(0)).shape == (0,)


@given(st.lists(gains, min_size=1, max_size=4), st.data())
def test_largest_gains_reach_the_best_sum(rows: list[list[float]], data: st.DataObject) -> None:
    curves = [allocation.non_increasing(np.array(row[:4])) for row in rows]
    n_extra = data.draw(st.integers(0, sum(map(len, curves))))
    counts = allocation.largest_gains(curves, n_extra)
    assert counts.sum() == n_extra + len(curves)

    def value(n: tuple[int, ...]) -> float:
        return sum(float(curve[:k].sum()) for curve, k in zip(curves, n, strict=True))

    options = product(*[range(len(curve) + 1) for curve in curves])
    best = max(value(n) for n in options if sum(n) == n_extra)
    assert value(tuple(counts - 1)) == pytest.approx(best, abs=1e-6)


def test_largest_gains_refuses_more_than_there_are() -> None:
    with pytest.raises(ValueError, match="can be split 2 times"):
        allocation.largest_gains([np.ones(1), np.ones(1)], 3)


@given(
    st.lists(st.tuples(st.floats(0, 12), st.integers(1, 12)), min_size=1, max_size=5),
    st.data(),
)
def test_largest_remainder_respects_bounds_and_total(pairs: list[tuple[float, int]], data: st.DataObject) -> None:
    shares, upper = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    total = data.draw(st.integers(len(pairs), int(upper.sum())))
    counts = allocation.largest_remainder(shares, total, upper)
    assert counts.sum() == total
    assert (counts >= 1).all()
    assert (counts <= upper).all()


@given(st.lists(st.integers(1, 60), min_size=1, max_size=6), st.integers(1, 60))
def test_largest_remainder_is_hamiltons_method(votes: list[int], extra: int) -> None:
    """Without binding bounds: floors, then one more for the largest fractions (ties to the first)."""
    total = len(votes) + extra
    quota = 1 + np.array(votes) / sum(votes) * extra
    slow = [int(q + 1e-9) for q in quota]
    order = sorted(range(len(votes)), key=lambda c: (-(quota[c] - slow[c]), c))
    for c in order[: total - sum(slow)]:
        slow[c] += 1
    counts = allocation.largest_remainder(quota, total, np.full(len(votes), total))
    np.testing.assert_allclose(np.sort(counts - quota), np.sort(np.array(slow) - quota), atol=1e-6)


def test_largest_remainder_refuses_the_impossible() -> None:
    with pytest.raises(ValueError, match="between 2 and 3 are possible"):
        allocation.largest_remainder(np.ones(2), 4, np.array([1, 2]))


def test_eigenvalue_gains_use_the_tenth_null_at_most() -> None:
    null = np.arange(30, 0, -1.0)
    found = allocation.eigenvalue_gains(np.full(30, 42.0), null, 40)
    np.testing.assert_allclose(found[:10], 42 / null[:10])
    np.testing.assert_allclose(found[10:30], 42 / null[9])
    np.testing.assert_array_equal(found[30:], 0)


def test_rising_gains_never_fall() -> None:
    found = allocation.rising_gains(np.array([[0.0, 2, 1, 3]]), 4)
    np.testing.assert_allclose(found, [[4, 0, 2]])


def test_a_view_with_huge_gains_does_not_outvote_the_others() -> None:
    """Each view's gains count in units of the smallest one it would take; three of them at most."""
    loud, quiet = [np.array([1000.0, 0]), np.array([1.0, 0])], [np.array([0.0, 0]), np.array([1.0, 0])]
    gains = [np.stack([loud[c], quiet[c], quiet[c], quiet[c], quiet[c]]) for c in range(2)]
    np.testing.assert_array_equal(allocation.largest_pooled_gains(gains, 1), [1, 2])


@given(st.lists(gains, min_size=2, max_size=4), st.data())
def test_pooled_gains_of_one_view_are_its_gains(rows: list[list[float]], data: st.DataObject) -> None:
    curves = [np.abs(np.array(row[:4])) / 100 + 1 for row in rows]  # below the cap
    n_extra = data.draw(st.integers(1, sum(map(len, curves))))
    alone = allocation.largest_gains([allocation.non_increasing(curve) for curve in curves], n_extra)
    pooled = allocation.largest_pooled_gains([curve[None] for curve in curves], n_extra)
    assert pooled.sum() == alone.sum()
    gain = [
        sum(allocation.non_increasing(c)[: k - 1].sum() for c, k in zip(curves, n, strict=True))
        for n in (alone, pooled)
    ]
    assert gain[1] == pytest.approx(gain[0])


def test_rules_give_the_split_to_the_class_that_gains() -> None:
    likelihood = np.full((2, 1, 4), np.nan)
    likelihood[0, 0] = [0, 0.01, 0.02, 0.03]
    likelihood[1, 0, :3] = [0, 1, 2]
    agreement = np.array([[0, 0, 0, 0], [0, 0.5, 0.9, np.nan]])
    ratio = np.array([[1, 1, 1], [9, 5, np.nan]])
    sizes, k_max = np.array([100, 100]), np.array([4, 3])
    for reproducibility in (None, likelihood):
        found = allocation.rules(likelihood, agreement, ratio, reproducibility, sizes, k_max, 4)
        assert set(found) == set(allocation.VOTES) - (set() if reproducibility is not None else {"n_reproducibility"})
        for counts in found.values():
            np.testing.assert_array_equal(counts, [1, 3])
        np.testing.assert_array_equal(allocation.vote(found, 4, k_max), [1, 3])


def test_the_likelihood_counts_twice() -> None:
    upper = np.array([9, 9])
    rules = {"n_likelihood": np.array([1, 5]), "n_eigenvalue": np.array([4, 2]), "n_agreement": np.array([1, 5])}
    np.testing.assert_array_equal(allocation.vote(rules, 6, upper), [2, 4])  # (2 x 1 + 4 + 1) / 4 = 1.75
    rules = {"n_likelihood": np.array([4, 2]), "n_eigenvalue": np.array([1, 5]), "n_agreement": np.array([1, 5])}
    np.testing.assert_array_equal(allocation.vote(rules, 6, upper), [3, 3])  # 2.5: the tie goes to the first


def test_vote_redistributes_what_a_cap_forbids() -> None:
    counts = allocation.vote({"n_likelihood": np.array([1, 6])}, 7, np.array([5, 4]))
    np.testing.assert_array_equal(counts, [3, 4])
