from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist
from sklearn.metrics import adjusted_rand_score

from falcon_sc.core.start import consensus


def test_co_association_counts_agreements() -> None:
    labels = np.array([[0, 0, 1], [0, 1, 1]])
    np.testing.assert_allclose(consensus.co_association(labels), [[1, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 1]])


@given(st.integers(0, 10_000), st.integers(1, 20))
def test_cut_equals_scipy_without_ties(seed: int, n_clusters: int) -> None:
    tree = linkage(pdist(np.random.default_rng(seed).normal(size=(20, 2))), "average")
    found = consensus.cut(tree, n_clusters)
    assert adjusted_rand_score(found, fcluster(tree, n_clusters, "maxclust")) == 1
    assert len(np.unique(found)) == n_clusters


@given(st.integers(0, 10_000), st.integers(2, 8), st.integers(1, 9))
def test_the_highest_cut_with_so_many_sizeable_groups(seed: int, n_clusters: int, min_size: int) -> None:
    """Against cuts made one by one; values on a grid, so that many merges are tied."""
    rng = np.random.default_rng(seed)
    tree = linkage(pdist(rng.integers(6, size=(25, 2)).astype(float)), "average")
    slow = consensus.cut(tree, n_clusters)
    for n_groups in range(n_clusters, min(4 * n_clusters, 24) + 1):
        groups = consensus.cut(tree, n_groups)
        large = [group for group in range(n_groups) if (groups == group).sum() >= min_size]
        if len(large) == n_clusters:
            slow = np.array([large.index(group) if group in large else -1 for group in groups])
            break
    np.testing.assert_array_equal(consensus._cut_into_sizeable(tree, n_clusters, min_size), slow)


@pytest.mark.parametrize(("n_outliers", "n_left_out"), [(6, 6), (7, 0)])
def test_cuts_into_up_to_four_times_as_many_groups_are_looked_at(n_outliers: int, n_left_out: int) -> None:
    """Two groups, and outliers that are cut off one by one before these part: into eight groups with six of them."""
    x = np.concatenate([np.linspace(0, 1, 10), np.linspace(9, 10, 10), 10.0 ** np.arange(2, 2 + n_outliers)])
    found = consensus._cut_into_sizeable(linkage(x[:, None], "average"), 2, 5)
    assert (found < 0).sum() == n_left_out


@given(st.integers(0, 10_000), st.integers(200, 400), st.integers(100, 300))
def test_contingency_counts_small_integers_of_many_values(seed: int, n_rows: int, n_columns: int) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = (rng.integers(n, size=50).astype(np.int16) for n in (n_rows, n_columns))
    slow = np.zeros((n_rows, n_columns))
    for row, column in zip(rows, columns, strict=True):
        slow[row, column] += 1
    np.testing.assert_array_equal(consensus.contingency(rows, columns, n_rows, n_columns), slow)


def test_exact_number_even_where_all_is_tied() -> None:
    found = consensus.consensus_labels(np.zeros((3, 8), dtype=np.int16), 5)
    assert len(np.unique(found)) == 5


def test_consensus_overrules_one_bad_clustering() -> None:
    truth = np.repeat([0, 1, 2], 20)
    bad = np.random.default_rng(0).integers(3, size=60)
    found = consensus.consensus_labels(np.stack([truth, 2 - truth, truth, bad]), 3)
    assert adjusted_rand_score(truth, found) == 1


def test_a_handful_among_thousands_takes_no_class() -> None:
    truth = np.repeat([0, 1, 2, 3], [700, 600, 700, 9])  # nine outliers, whom every clustering sets apart
    joined = np.where(truth == 2, 1, truth)  # half of the clusterings do not tell two classes apart
    found = consensus.consensus_labels(np.stack([truth, truth, joined, joined]), 3)
    assert adjusted_rand_score(truth[:-9], found[:-9]) == 1
    some = np.r_[0:100, 700:800, 1300:1400, 2000:2009]  # among hundreds they may be a class
    found = consensus.consensus_labels(np.stack([truth, truth, joined, joined])[:, some], 3)
    assert np.bincount(found).min() == 9


def test_extend_is_the_largest_mean_co_association() -> None:
    rng = np.random.default_rng(0)
    landmark_clusterings, clusterings = rng.integers(4, size=(5, 40)), rng.integers(4, size=(5, 30))
    landmark_labels = np.r_[np.arange(3), rng.integers(3, size=37)]
    share = (clusterings[:, :, None] == landmark_clusterings[:, None, :]).mean(axis=0)
    slow = np.stack([share[:, landmark_labels == g].mean(axis=1) for g in range(3)])
    found = consensus.extend(landmark_labels, landmark_clusterings, clusterings)
    np.testing.assert_allclose(slow[found, np.arange(30)], slow.max(axis=0))


def test_extend_knows_labels_that_no_landmark_has() -> None:
    found = consensus.extend(np.array([0, 1]), np.array([[0, 1], [0, 1]]), np.array([[7], [1]]))
    np.testing.assert_array_equal(found, [1])


def test_agreement_against_a_slow_count() -> None:
    rng = np.random.default_rng(0)
    groups, clusterings = rng.integers(3, size=40), rng.integers(4, size=(5, 40))
    new, of_new = rng.integers(3, size=6), clusterings[:, :6]
    found = consensus.agreement(groups, clusterings, new, of_new)
    for i in range(6):
        slow = [(groups[row == own[i]] == new[i]).mean() for row, own in zip(clusterings, of_new, strict=True)]
        assert found[i] == pytest.approx(np.mean(slow), abs=1e-6)


def test_agreement_is_one_where_all_clusterings_are_the_groups() -> None:
    groups = np.array([0, 0, 1, 1])
    clusterings = np.stack([groups, 1 - groups, groups + 5])
    np.testing.assert_array_equal(consensus.agreement(groups, clusterings, groups, clusterings), 1)


def test_one_clustering_in_two_that_joins_the_groups() -> None:
    groups = np.array([0, 0, 1, 1])
    clusterings = np.stack([groups, np.zeros(4, dtype=int)])
    np.testing.assert_allclose(consensus.agreement(groups, clusterings, groups, clusterings), 0.75)
