from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from falcon_sc.core.start.tree.technical import explained_by_group, explained_by_number

FIRST, SECOND = np.array([[True, False, False]]), np.array([[False, True, False]])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_a_number_explains_the_squared_correlation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    leaves, values = rng.integers(-1, 3, size=80), rng.normal(size=80)
    values[::9] = np.nan
    own = (leaves >= 0) & (leaves < 2) & np.isfinite(values)
    expected = np.corrcoef(leaves[own], values[own])[0, 1] ** 2
    np.testing.assert_allclose(explained_by_number(leaves, FIRST, SECOND, values), expected, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_groups_explain_the_variance_between_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    leaves, groups = rng.integers(-1, 3, size=80), rng.integers(-1, 4, size=80)
    own = (leaves >= 0) & (leaves < 2) & (groups >= 0)
    side = leaves[own].astype(float)
    means = {g: side[groups[own] == g].mean() for g in np.unique(groups[own])}
    expected = np.var([means[g] for g in groups[own]]) / side.var()
    np.testing.assert_allclose(explained_by_group(leaves, FIRST, SECOND, groups), expected, atol=1e-12)


def test_nothing_is_said_of_one_donor_or_of_values_that_are_alike() -> None:
    leaves = np.array([0, 1] * 10)
    assert np.isnan(explained_by_group(leaves, FIRST, SECOND, np.zeros(20, dtype=np.int64)))
    assert np.isnan(explained_by_number(leaves, FIRST, SECOND, np.ones(20)))
