from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from falcon_sc.core.start import allocation

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def test_rising_gains_never_fall() -> None:
    found = allocation.rising_gains(np.array([[0.0, 2, 1, 3]]), 32)
    np.testing.assert_allclose(found, [[8, 0, 4]])  # 32^0.4 = 4 times the rise over what was reached before


def test_own_units_say_what_is_taken() -> None:
    first, second = allocation.in_own_units([np.array([8.0, 2.0]), np.array([4.0, 1.0])], 3)
    np.testing.assert_allclose(first, [4, 1])
    np.testing.assert_allclose(second, [2, 0.5])


def test_a_representation_with_huge_gains_does_not_outvote_the_others() -> None:
    """The gains of each representation count in units of the smallest one it would take; three of them at most."""
    loud, quiet = [np.array([1000.0, 0]), np.array([1.0, 0])], [np.array([0.0, 0]), np.array([1.0, 0])]
    gains = [np.stack([loud[c], quiet[c], quiet[c], quiet[c], quiet[c]]) for c in range(2)]
    pooled = allocation.pooled(gains, 1)
    np.testing.assert_allclose(pooled[1], [(4 + 1 / 1000) / 5, 0])
    np.testing.assert_array_equal(allocation.largest_gains(pooled, 1), [1, 2])


def test_a_representation_that_gains_nothing_is_capped() -> None:
    """It would take gains of zero: anything above is infinite in its units."""
    silent = [np.array([1e-6, 0.0]), np.zeros(2)]
    telling = [np.array([1.0, 0]), np.array([4.0, 3.0])]
    pooled = allocation.pooled([np.stack([silent[c], telling[c], telling[c]]) for c in range(2)], 2)
    np.testing.assert_allclose(pooled[0], [(3 + 2 / 3) / 3, 0])
    np.testing.assert_array_equal(allocation.largest_gains(pooled, 1), [2, 1])
    np.testing.assert_allclose(pooled[1], [2 * (4 / 3) / 3, 2 / 3])


def allocate(curves: Sequence[np.ndarray], sizes: np.ndarray, n_fine: int) -> np.ndarray:
    return allocation.largest_gains(allocation.joint_gains(curves, sizes, n_fine), n_fine - len(sizes))


FLAT, STEEP = np.array([[0, 0.01, 0.02, 0.03]]), np.array([[0.0, 1, 2]])


def test_the_split_goes_to_the_class_that_gains() -> None:
    np.testing.assert_array_equal(allocate([FLAT, STEEP], np.array([100, 100]), 4), [1, 3])


def test_of_equal_curves_the_larger_class_is_split() -> None:
    np.testing.assert_array_equal(allocate([STEEP, STEEP, STEEP], np.array([100, 800, 100]), 5), [1, 3, 1])


def test_representations_that_disagree_share_what_there_is() -> None:
    curves = [np.concatenate([STEEP, 0 * STEEP]), np.concatenate([0 * STEEP, STEEP])]
    np.testing.assert_array_equal(allocate(curves, np.array([50, 50]), 4), [2, 2])


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 1000)), min_size=1, max_size=5),
    st.integers(1, 3),
    st.integers(0, 2**32 - 1),
    st.data(),
)
def test_allocations_fit(classes: list[tuple[int, int]], n_curves: int, seed: int, data: st.DataObject) -> None:
    """Whatever the curves: the numbers sum to the total, and lie between 1 and the longest curve."""
    rng = np.random.default_rng(seed)
    upper, sizes = np.array(classes).T
    if upper.sum() == len(upper):
        return
    total = data.draw(st.integers(len(upper) + 1, int(upper.sum())))
    counts = allocate([rng.normal(size=(n_curves, k)) for k in upper], sizes, total)
    assert counts.sum() == total
    assert (counts >= 1).all()
    assert (counts <= upper).all()


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.data())
def test_by_size_is_websters_rule(sizes: list[int], data: st.DataObject) -> None:
    """One class at a time to the largest quotient; of equal ones, to the coarse class that has fewest."""
    n_fine = data.draw(st.integers(len(sizes), sum(sizes)))
    counts = [1] * len(sizes)
    while sum(counts) < n_fine:
        open_to = [c for c, n in enumerate(sizes) if counts[c] < n]
        counts[max(open_to, key=lambda c: (sizes[c] / (counts[c] + 0.5), -counts[c], -c))] += 1
    np.testing.assert_array_equal(allocation.by_size(np.array(sizes), n_fine, np.array(sizes)), counts)


@given(st.lists(st.integers(1, 8), min_size=1, max_size=8), st.integers(1, 50))
def test_by_size_is_exact_where_all_fine_classes_are_of_one_size(n_per_class: list[int], size: int) -> None:
    true = np.array(n_per_class)
    np.testing.assert_array_equal(allocation.by_size(size * true, int(true.sum()), size * true), true)
