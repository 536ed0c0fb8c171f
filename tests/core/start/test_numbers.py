from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcon_sc.core.start import allocation
from falcon_sc.core.start.numbers import gains_along, largest_k, undecided


def test_more_than_there_can_be_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"60 fine classes were asked for, coarse classes of \[57, 2, 1\] samples can have 59"
    ):
        largest_k(np.array([57, 2, 1]), 60)


@pytest.mark.parametrize("n_fine", [4, 10, 60, 199, 200])
def test_largest_k_leaves_room(n_fine: int) -> None:
    sizes = np.array([1, 3, 176, 20])
    k_max = largest_k(sizes, n_fine)
    assert k_max.sum() >= n_fine
    assert (k_max <= sizes).all()
    assert (k_max >= 1).all()


def test_no_class_is_cut_into_fragments() -> None:
    """Twenty cells for each further class, as long as there is room for the total."""
    sizes = np.array([50, 1000, 19])
    np.testing.assert_array_equal(largest_k(sizes, 12)[[0, 2]], [3, 1])
    assert largest_k(sizes, 900)[0] > 3


def rising(rng: np.random.Generator, n_paths: int, k: int) -> np.ndarray:
    """Likelihoods of one coarse class along paths in two representations: (paths, 2, k)."""
    return np.asarray(rng.exponential(size=(n_paths, 2, k)).cumsum(axis=2))


@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_a_path_that_is_there_twice_counts_as_often_as_all_others_that_are(seed: int, n_paths: int) -> None:
    rng = np.random.default_rng(seed)
    curves = [rising(rng, n_paths, k) for k in (2, 5, 4)]
    sizes, n_fine = np.array([100, 400, 50]), 7
    once = gains_along(curves, sizes, n_fine)
    slow = allocation.joint_gains([own.reshape(-1, own.shape[2]) for own in curves], sizes, n_fine)
    twice = gains_along([np.concatenate([curves[0], curves[0]]), *curves[1:]], sizes, n_fine)
    for own, other, again in zip(once, slow, twice, strict=True):
        np.testing.assert_allclose(own, other)
        np.testing.assert_allclose(own, again)


def test_a_class_that_cannot_be_split_gains_nothing() -> None:
    gains = gains_along([None, rising(np.random.default_rng(0), 3, 4)], np.array([5, 100]), 4)
    assert [len(own) for own in gains] == [0, 3]


def test_classes_are_undecided_whose_numbers_hang_on_one_path() -> None:
    """Two classes share one further fine class: two paths of three give it to the first, and the third by far to the second."""
    little, much = np.array([[0.0, 1]]), np.array([[0.0, 1.2]])
    first = np.stack([much, much, little])
    second = np.stack([little, little, 3 * little])
    aside = np.stack(3 * [10 * little])
    sizes = np.full(3, 100)
    np.testing.assert_array_equal(undecided([first, second, aside], sizes, 5), [True, True, False])
    np.testing.assert_array_equal(undecided([first, 0.1 * second, aside], sizes, 5), [False, False, False])


@given(st.integers(0, 2**32 - 1), st.integers(4, 9))
def test_paths_that_are_alike_decide(seed: int, n_fine: int) -> None:
    rng = np.random.default_rng(seed)
    curves = [np.concatenate(3 * [rising(rng, 1, k)]) for k in (2, 5, 4)]
    assert not undecided(curves, np.array([100, 400, 50]), n_fine).any()
