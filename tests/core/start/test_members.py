from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from falcon_sc.core.start import members as voting
from falcon_sc.core.start.members import Members, members
from falcon_sc.core.start.mixtures.merging import log_likelihoods, smallest_weight
from falcon_sc.core.start.mixtures.student import TiedStudentMixtures
from falcon_sc.core.start.mixtures.tied import TiedMixtures
from falcon_sc.core.start.representation.class_representations import ClassRepresentations, plain


def of_one_matrix(X: np.ndarray, normalizations: tuple[str, ...] = ("log", "scaled")) -> ClassRepresentations:
    return ClassRepresentations(dict.fromkeys(normalizations, X.astype(np.float32)), np.arange(len(X)))


def test_with_equal_sizes_spherical_mixtures_join_and_all_weights_are_equal() -> None:
    X = np.random.default_rng(0).normal(size=(200, 3)) * [1, 2, 4]
    found = members(of_one_matrix(X), 3, np.random.default_rng(0), n_repeats=2, equal_sizes=True).mixtures
    assert len(found) == 3 * 2 * 3  # representations, repeats, kinds
    for _, mixture in found:
        np.testing.assert_allclose(mixture.log_weights, -np.log(3))
    spherical = [
        np.allclose(mixture.precision[0], mixture.precision[0, 0, 0] * np.eye(3))
        for _, mixture in found[:6]
        if isinstance(mixture, TiedMixtures)
    ]
    assert spherical == [False, True, False, True]


def test_spherical_mixtures_join_in_a_panel_with_weights_of_their_own() -> None:
    X = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32) * [1, 2, 4]
    panel = ClassRepresentations(
        {"log": X, "scaled": X / X.std(axis=0)}, np.arange(200), None, {"log": X}, own_scale=True
    )
    found = members(panel, 3, np.random.default_rng(0), n_repeats=2, equal_sizes=False).mixtures
    assert len(found) == (4 * 2 + 2 * 1) * 3  # plain and contrasted representations, repeats, kinds
    assert all(scores.std(axis=0)[-1] > 3 for scores, _ in found)  # none has unit variances
    spherical = [
        mixture
        for _, mixture in found
        if isinstance(mixture, TiedMixtures)
        and np.allclose(mixture.precision[0], mixture.precision[0, 0, 0] * np.eye(mixture.means.shape[2]))
    ]
    assert len(spherical) == len(found) / 3
    assert all(np.ptp(mixture.log_weights) > 0 for mixture in spherical)


@pytest.mark.parametrize(("depth", "contrasted", "expected"), [(False, False, 20), (True, False, 30), (True, True, 34)])
def test_half_as_many_without_depth_and_in_contrasted_representations(
    *, depth: bool, contrasted: bool, expected: int
) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 4)).astype(np.float32)
    representations = ClassRepresentations(
        {"log": X, "scaled": X},
        np.arange(100),
        rng.normal(size=100).astype(np.float32) if depth else None,
        {"log": X} if contrasted else {},
    )
    found = members(representations, 2, rng, n_repeats=2, equal_sizes=False).mixtures
    assert len(found) == expected
    assert sum(isinstance(mixture, TiedStudentMixtures) for _, mixture in found) == expected // 2


def wide_group_beside_small_ones() -> np.ndarray:
    """K-Means cuts the wide group, of 1,000, before it parts the small ones, of 60 each."""
    rng = np.random.default_rng(5)
    truth = np.repeat([0, 1, 2], [1000, 60, 60])
    X = rng.normal(size=(1120, 3)) * [6, 1, 1] + np.array([[0, 0, 0], [0, 12, 0], [0, 0, 12]])[truth]
    return X - X.mean(axis=0)


def shares_of_gaussians(found: Members) -> np.ndarray:
    gaussian = [mixture for _, mixture in found.mixtures if isinstance(mixture, TiedMixtures)]
    return np.array([np.sort(np.exp(mixture.log_weights[0])) for mixture in gaussian])


def test_small_distinct_groups_are_found_by_merging_and_never_by_a_tiny_component() -> None:
    X = wide_group_beside_small_ones()
    found = members(of_one_matrix(X), 3, np.random.default_rng(0), n_repeats=2, equal_sizes=False)
    shares = shares_of_gaussians(found)
    np.testing.assert_allclose(np.median(shares, axis=0), [60 / 1120, 60 / 1120, 1000 / 1120], atol=0.02)
    assert shares.min() >= smallest_weight(1120)
    assert found.merged


def test_nothing_is_merged_nor_asked_where_it_may_not_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voting, "merge_down", pytest.fail)
    X = wide_group_beside_small_ones()
    found = members(of_one_matrix(X), 3, np.random.default_rng(0), n_repeats=2, equal_sizes=False, may_merge=False)
    assert shares_of_gaussians(found).max() < 0.6  # the wide group is cut in two
    assert not found.merged


@pytest.mark.parametrize("contrasted", [False, True])
def test_merged_mixtures_that_were_no_likelier_before_are_not_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, *, contrasted: bool
) -> None:
    """`merged_before` is of the contrasted representations, and of the plain ones where there are no others."""
    X = wide_group_beside_small_ones()
    representations = of_one_matrix(X)
    if contrasted:
        representations = replace(representations, contrasted={"log": X.astype(np.float32)})
    scores = representations.contrasted_components() or [
        representations.components(*name) for name in plain(representations)
    ]
    merged = log_likelihoods(scores, [3], np.random.default_rng(1))[:, 0]
    for before, expected in ((merged, True), (merged - 1, False)):
        found = members(
            representations, 3, np.random.default_rng(0), n_repeats=2, equal_sizes=False, merged_before=before
        )
        assert found.merged == expected
        assert (shares_of_gaussians(found).max(axis=1).mean() > 0.8) == expected
    monkeypatch.setattr(voting, "merge_down", pytest.fail)
    members(representations, 3, np.random.default_rng(0), n_repeats=2, equal_sizes=False, merged_before=merged - 1)


def test_labels_are_those_of_each_mixture() -> None:
    X = np.random.default_rng(0).normal(size=(80, 3)).astype(np.float32)
    found = members(of_one_matrix(X), 4, np.random.default_rng(0), n_repeats=1, equal_sizes=False)
    assert found.labels.shape == (len(found.mixtures), 80)
    scores, mixture = found.mixtures[-1]
    np.testing.assert_array_equal(found.labels[-1], mixture.predict(scores[None])[0])
