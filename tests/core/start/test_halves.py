from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from falcon_sc.core.start.halves import (
    N_HALVINGS,
    adjusted_rand_indices,
    better_half,
    consensus_of_halves,
    fall_into_forms,
    halves_differ,
)

ALONG, ACROSS = np.indices((10, 10)).reshape(2, -1) // 5


@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(1, 5), st.integers(1, 5))
def test_adjusted_rand_indices_are_those_of_sklearn(seed: int, n: int, k: int, other_k: int) -> None:
    rng = np.random.default_rng(seed)
    ones, others = rng.integers(k, size=(3, n)), rng.integers(other_k, size=(4, n)).astype(np.int16)
    expected = [[adjusted_rand_score(one, other) for other in others] for one in ones]
    np.testing.assert_allclose(adjusted_rand_indices(ones, others), expected, atol=1e-12)


def test_clusters_of_single_samples_are_alike() -> None:
    each = np.arange(5)[None]
    np.testing.assert_array_equal(adjusted_rand_indices(each, each[:, ::-1]), 1)


def test_halves_are_alike_where_any_of_them_has_the_same_groups() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(4), 25)
    clusterings = np.stack([rng.permutation(4)[groups] for _ in range(12)])
    clusterings[rng.random(clusterings.shape) < 0.05] = 0
    found = consensus_of_halves(clusterings, 4, rng)
    assert found.shape == (2 * N_HALVINGS, 100)
    assert not halves_differ(found)
    assert not fall_into_forms(found)
    assert better_half(found, groups, clusterings) is None


def test_two_camps_make_two_forms() -> None:
    """Nine clusterings see one border, and seven another."""
    camps = np.repeat([ALONG, ACROSS], [9, 7], axis=0)
    found = consensus_of_halves(camps, 2, np.random.default_rng(0))
    assert halves_differ(found)
    assert fall_into_forms(found)
    few = consensus_of_halves(camps[:11], 2, np.random.default_rng(0))  # two of the other camp
    assert not halves_differ(few)


def test_halves_that_have_nothing_in_common_are_no_forms() -> None:
    rng = np.random.default_rng(0)
    found = consensus_of_halves(rng.integers(4, size=(12, 100)), 4, rng)
    assert halves_differ(found)
    assert not fall_into_forms(found)


@pytest.mark.parametrize(("n_along", "n_across", "better"), [(3, 9, None), (9, 3, 1), (6, 6, None), (101, 99, None)])
def test_a_half_is_better_where_all_agree_with_it(n_along: int, n_across: int, better: int | None) -> None:
    """The whole sees the border across; with about as many for either it stays."""
    camps = np.repeat([ALONG, ACROSS], [n_along, n_across], axis=0)
    assert better_half(np.stack([ACROSS, ALONG]), ACROSS, camps) == better
