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


def test_own_units_say_what_is_taken() -> None:
    first, second = allocation.in_own_units([np.array([8.0, 2.0]), np.array([4.0, 1.0])], 3)
    np.testing.assert_allclose(first, [4, 1])
    np.testing.assert_allclose(second, [2, 0.5])


def test_a_view_with_huge_gains_does_not_outvote_the_others() -> None:
    """Each view's gains count in units of the smallest one it would take; three of them at most."""
    loud, quiet = [np.array([1000.0, 0]), np.array([1.0, 0])], [np.array([0.0, 0]), np.array([1.0, 0])]
    gains = [np.stack([loud[c], quiet[c], quiet[c], quiet[c], quiet[c]]) for c in range(2)]
    pooled = allocation.pooled_over_views(gains, 1)
    np.testing.assert_allclose(pooled[1], [(4 + 1 / 1000) / 5, 0])
    np.testing.assert_array_equal(allocation.largest_gains(pooled, 1), [1, 2])


CURVES = np.full((2, 1, 4), np.nan)
CURVES[0, 0], CURVES[1, 0, :3] = [0, 0.01, 0.02, 0.03], [0, 1, 2]


@pytest.mark.parametrize("reproducibility", [None, CURVES])
def test_the_split_goes_to_the_class_that_gains(reproducibility: np.ndarray | None) -> None:
    agreement = np.array([[0, 0, 0, 0], [0, 0.5, 0.9, np.nan]])
    ratio = np.array([[1, 1, 1], [9, 5, np.nan]])
    sizes, k_max = np.array([100, 100]), np.array([4, 3])
    gains = allocation.evidence(CURVES, agreement, ratio, reproducibility, sizes, k_max, 4)
    assert set(gains) == set(allocation.VOTES) - (set() if reproducibility is not None else {"n_reproducibility"})
    counts, by_rule = allocation.vote(gains, 4, k_max)
    np.testing.assert_array_equal(counts, [1, 3])
    for own in by_rule.values():
        np.testing.assert_array_equal(own, [1, 3])


def gains_for(counts: list[int], largest: int = 5) -> list[np.ndarray]:
    """Gains of a rule that gives these counts."""
    return [np.where(np.arange(largest) < n - 1, 2.0, 0.1) for n in counts]


def test_the_likelihood_counts_twice() -> None:
    upper = np.array([6, 6])
    gains = {"n_likelihood": gains_for([1, 5]), "n_eigenvalue": gains_for([4, 2]), "n_agreement": gains_for([1, 5])}
    np.testing.assert_array_equal(allocation.vote(gains, 6, upper)[0], [2, 4])  # (2 x 1 + 4 + 1) / 4 = 1.75


def test_equal_shares_are_decided_by_the_evidence() -> None:
    upper = np.array([6, 6])
    first, second = gains_for([1, 2]), gains_for([2, 1])
    even = {"n_likelihood": first, "n_eigenvalue": second, "n_agreement": second}
    np.testing.assert_array_equal(allocation.vote(even, 3, upper)[0], [2, 1])  # 1.5 each: the first
    even["n_eigenvalue"] = [second[0] / 1.5, second[1]]  # still its largest, by less
    np.testing.assert_array_equal(allocation.vote(even, 3, upper)[0], [1, 2])


@given(st.lists(st.lists(st.floats(0, 5, width=32), min_size=3, max_size=3), min_size=2, max_size=4), st.data())
def test_votes_fit(rows: list[list[float]], data: st.DataObject) -> None:
    curves = allocation.in_own_units([np.array(row) for row in rows], 1)
    total = data.draw(st.integers(len(rows) + 1, 4 * len(rows)))
    counts, by_rule = allocation.vote({"n_likelihood": curves, "n_agreement": curves}, total, np.full(len(rows), 4))
    assert counts.sum() == total
    np.testing.assert_array_equal(counts, by_rule["n_likelihood"])  # rules that agree are followed


def test_vote_redistributes_what_a_cap_forbids() -> None:
    counts, _ = allocation.vote({"n_likelihood": gains_for([1, 6])}, 7, np.array([5, 4]))
    np.testing.assert_array_equal(counts, [3, 4])
