from __future__ import annotations

import numpy as np
import pytest

from falcon_sc.core.start.tree.support import support_of, supported_from_above, supported_or_above

# leaves 0-3; 4 = (0, 1), 5 = (2, 3), 6 = (4, 5)
JOINS = np.array([[0, 1], [2, 3], [4, 5]])


@pytest.mark.parametrize(
    ("supported", "from_above", "or_above"),
    [
        ([0, 0, 0], [0, 0, 0], [0, 0, 0]),
        ([1, 0, 0], [0, 0, 0], [1, 0, 1]),
        ([0, 1, 1], [0, 1, 1], [0, 1, 1]),
        ([1, 1, 1], [1, 1, 1], [1, 1, 1]),
    ],
)
def test_which_splits_are_made(supported: list[int], from_above: list[int], or_above: list[int]) -> None:
    given = np.array(supported, dtype=bool)
    np.testing.assert_array_equal(supported_from_above(JOINS, 4, given), np.array(from_above, dtype=bool))
    np.testing.assert_array_equal(supported_or_above(JOINS, 4, given), np.array(or_above, dtype=bool))


def test_the_rule() -> None:
    comes_back, agreement = np.array([0.9, 0.6, 0.7, np.nan, 0.0]), np.array([0.8, 0.6, 0.66, 0.9, 1.0])
    with_counts, without = (support_of(comes_back, agreement, has_counts=given) for given in (True, False))
    np.testing.assert_array_equal(with_counts > 1, [True, False, True, False, False])
    np.testing.assert_array_equal(without > 1, [True, False, False, False, False])
    assert with_counts[3] == 0
    np.testing.assert_allclose(with_counts[0], 0.85 / 0.62)
