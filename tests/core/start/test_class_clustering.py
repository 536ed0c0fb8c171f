from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from tests.core.start.test_members import of_one_matrix, wide_group_beside_small_ones

from falcon_sc.core.start import class_clustering
from falcon_sc.core.start import members as voting
from falcon_sc.core.start.class_clustering import N_COMPARED, N_LANDMARKS, N_PATHS, ClassFit, fit_class, label_class
from falcon_sc.core.start.consensus import consensus_labels
from falcon_sc.core.start.halves import consensus_of_halves
from falcon_sc.core.start.members import members
from falcon_sc.core.start.mixtures.merging import log_likelihoods


def test_mixtures_without_depth_are_outvoted_and_lower_the_agreement() -> None:
    """Two borders: one along the depth, a fainter one across. Of six mixtures in a representation two do not see the depth."""
    rng = np.random.default_rng(0)
    deep, kind = rng.integers(2, size=(2, 400))
    X = np.c_[np.outer(deep, [10, 10, 10, 10]), 2 * kind] + rng.normal(0, 0.3, (400, 5))
    fit = fit_class(
        X, "embedding", [2], rng, batch=None, background=None, has_counts=False, n_genes=2000, max_cells=1000
    )
    labels, agreement = label_class(fit.representations, 2, rng, n_repeats=4)
    assert adjusted_rand_score(deep, labels) == 1
    np.testing.assert_array_equal(agreement, 1)

    depth = ((deep - deep.mean()) / deep.std()).astype(np.float32)
    fit = replace(fit, representations=replace(fit.representations, depth=depth))
    labels, agreement = label_class(fit.representations, 2, rng, n_repeats=4)
    assert adjusted_rand_score(deep, labels) == 1
    # the two put half of the cells of either class together with half of the other
    assert agreement.mean() == pytest.approx((4 + 2 / 2) / 6, abs=0.01)


def test_mixtures_of_the_contrasted_components_are_outvoted_and_lower_the_agreement() -> None:
    """Five plain representations with eight mixtures each see one border, four contrasted ones with four each another."""
    rng = np.random.default_rng(0)
    strong, kind = rng.integers(2, size=(2, 400))
    X = np.outer(strong, [10, 10, 10, 10]) + rng.normal(0, 0.3, (400, 4))
    fit = fit_class(
        X, "embedding", [2], rng, batch=None, background=None, has_counts=False, n_genes=2000, max_cells=1000
    )
    other = (np.outer(kind, [10, 10]) + rng.normal(0, 0.3, (400, 2))).astype(np.float32)
    representations = replace(fit.representations, contrasted={"log": other, "scaled": other})
    labels, agreement = label_class(representations, 2, rng, n_repeats=4)
    assert adjusted_rand_score(strong, labels) == 1
    assert agreement.mean() == pytest.approx((5 * 8 + 4 * 4 / 2) / (5 * 8 + 4 * 4), abs=0.01)


def test_a_consensus_of_some_cells_labels_all(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def watched(labels: np.ndarray, n_clusters: int) -> np.ndarray:
        seen.append(labels.shape[1])
        return consensus_labels(labels, n_clusters)

    monkeypatch.setattr(class_clustering, "consensus_labels", watched)  # the real one, and how much it is given
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=N_LANDMARKS + 500)
    X = (rng.normal(0, 0.3, (len(truth), 4)) + 5 * np.eye(3, 4)[truth]).astype(np.float32)
    fit = fit_class(
        X, "embedding", [3], rng, batch=None, background=None, has_counts=False, n_genes=2000, max_cells=len(truth)
    )
    labels, agreement = label_class(fit.representations, 3, rng, n_repeats=1)
    assert seen == [N_LANDMARKS]
    assert adjusted_rand_score(truth, labels) == 1
    np.testing.assert_array_equal(agreement, 1)


def test_equal_sizes_cut_a_class_without_borders_more_evenly() -> None:
    """Dense at one end and thin at the other: mixtures with weights of their own leave the dense end whole."""
    rng = np.random.default_rng(0)
    X = rng.exponential(size=(1000, 3)).astype(np.float32)
    fit = fit_class(
        X, "embedding", [4], rng, batch=None, background=None, has_counts=False, n_genes=2000, max_cells=1000
    )
    free, even = (
        label_class(fit.representations, 4, np.random.default_rng(1), n_repeats=2, equal_sizes=equal)[0]
        for equal in (False, True)
    )
    assert np.bincount(even).std() < 0.8 * np.bincount(free).std()


def line(seed: int, n: int = 400, n_beside: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Counts of cells that mature along a line, with faint genes beside it that go together; and the third of the line."""
    rng = np.random.default_rng(seed)
    along, beside = rng.random(n), rng.integers(2, size=n)
    slopes = np.zeros(150)
    slopes[:60] = rng.choice([-2.0, 2.0], 60)
    rate = rng.gamma(2, 2, 150) * np.exp(along[:, None] * slopes)
    rate[:, 60 : 60 + n_beside] *= np.exp(0.7 * beside[:, None])
    return rng.poisson(rate).astype(np.float32), (3 * along).astype(int)


def thirds_found(n_beside: int) -> np.ndarray:
    """Adjusted Rand indices to the thirds of three lines, of each the mean over three seeds."""
    scores = np.empty((3, 3))
    for of_line, seed in np.ndindex(3, 3):
        counts, third = line(of_line, n_beside=n_beside)
        rng = np.random.default_rng(seed)
        fit = fit_class(
            counts, "counts", [3], rng, batch=None, background=None, has_counts=True, n_genes=150, max_cells=400
        )
        labels, _ = label_class(fit.representations, 3, rng, n_repeats=2)
        scores[of_line, seed] = adjusted_rand_score(third, labels)
    return np.asarray(scores.mean(axis=1))


def test_a_line_is_cut_across_where_it_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    assert thirds_found(n_beside=20).mean() > 0.55
    across = thirds_found(n_beside=40)
    monkeypatch.setattr("falcon_sc.core.start.representation.principal_axes.LEADING", np.inf)
    elsewhere = thirds_found(n_beside=40)
    assert across.mean() > elsewhere.mean() + 0.2
    assert (across > elsewhere).all()


def test_as_many_curves_of_every_class_whether_an_axis_leads_or_not() -> None:
    leading, _ = line(1, 120)
    even = np.random.default_rng(0).poisson(2.0, (120, 150)).astype(np.float32)
    fits = [
        fit_class(
            counts, "counts", [1, 2], np.random.default_rng(0), batch=None, background=None, has_counts=True,
            n_genes=150, max_cells=120,
        )
        for counts in (leading, even)
    ]  # fmt: skip
    assert [fit.representations.own_scale for fit in fits] == [True, False]
    curves = [fit.log_likelihood for fit in fits]
    assert curves[0] is not None
    assert curves[1] is not None
    assert curves[0].shape == curves[1].shape


def test_there_are_several_paths_in_each_representation_from_other_starts() -> None:
    counts = np.random.default_rng(0).poisson(2.0, (150, 40)).astype(np.float32)
    fit = fit_class(
        counts, "counts", [1, 2, 3, 4], np.random.default_rng(0), batch=None, background=None, has_counts=True,
        n_genes=40, max_cells=150,
    )  # fmt: skip
    n = len(fit.representations.contrasted_components())
    assert fit.log_likelihood is not None
    paths = fit.log_likelihood
    assert paths.shape == (N_PATHS, n, 4)
    assert N_PATHS > 1
    np.testing.assert_allclose(paths[:, :, 0] - paths[0, :, 0], 0, atol=1e-6)  # one component is the same from anywhere
    assert not np.allclose(paths[0], paths[1], atol=1e-6)


def test_the_paths_say_how_likely_merged_mixtures_are_in_each_representation() -> None:
    """Where one axis leads there are as many curves as elsewhere, so each representation has several times as many paths."""
    counts, _ = line(0)
    fit = fit_class(
        counts, "counts", [1, 2, 3], np.random.default_rng(0), batch=None, background=None, has_counts=True,
        n_genes=150, max_cells=400,
    )  # fmt: skip
    assert fit.representations.own_scale
    assert fit.log_likelihood is not None
    paths = fit.log_likelihood[:, :, 1]
    n = len(fit.representations.contrasted_components())
    assert paths.shape == (N_PATHS, 3 * n)
    merged = fit.merged(2)
    assert merged is not None
    for i in range(n):
        assert merged[i] == paths[:, i::n].max()
    assert replace(fit, log_likelihood=None).merged(2) is None


def test_distinct_small_groups_are_found_where_the_paths_say_that_merging_helps() -> None:
    X = wide_group_beside_small_ones().astype(np.float32)
    fit = ClassFit(of_one_matrix(X), np.tile(log_likelihoods([X], [1, 2, 3], np.random.default_rng(0)), (1, 5, 1)))
    for merged, largest in ((fit.merged(3), 1000), (np.full(5, -np.inf), 500)):
        labels, _ = label_class(fit.representations, 3, np.random.default_rng(1), n_repeats=2, merged_before=merged)
        assert np.bincount(labels).max() == pytest.approx(largest, abs=50)


@pytest.mark.parametrize(
    ("shape", "k", "n_times"), [("two groups", 2, 1), ("one cloud", 6, 2), ("a square of four groups", 2, 4)]
)
def test_more_mixtures_vote_where_halves_of_them_differ(
    shape: str, k: int, n_times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice as many where no two halves are alike; four times where they have one of two forms, cut along or across."""
    found: list[int] = []

    def watched(*args: Any, **keywords: Any) -> Any:
        found.append(len((both := members(*args, **keywords)).mixtures))
        return both

    monkeypatch.setattr(class_clustering, "members", watched)  # the real ones, and how many they are
    asked: list[bool] = []
    gains = voting._merging_gains

    def watched_gains(*args: Any) -> bool:
        asked.append(gains(*args))
        return asked[-1]

    monkeypatch.setattr(voting, "_merging_gains", watched_gains)
    rng = np.random.default_rng(2)
    corner = rng.integers(2, size=(150, 2)) * {"two groups": [8, 0], "one cloud": [0, 0]}.get(shape, [6, 6])
    X = rng.normal(size=(150, 2)) + corner
    X = np.concatenate([X, X[:, ::-1] if shape == "a square of four groups" else X])
    fit = fit_class(
        X, "embedding", [k], rng, batch=None, background=None, has_counts=False, n_genes=2000, max_cells=300
    )
    labels, _ = label_class(fit.representations, k, rng, n_repeats=2)
    assert found == n_times * [5 * 2 * 2]  # representations, repeats, kinds
    assert asked == [False]  # once, of the first of them
    assert len(np.unique(labels)) == k


def test_further_mixtures_are_merged_as_the_first_ones_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """That halves differ is said here, so that there are further ones."""
    monkeypatch.setattr(class_clustering, "halves_differ", lambda _: True)
    merged: list[bool] = []

    def watched(*args: Any, **keywords: Any) -> Any:
        found = members(*args, **keywords)
        merged.append(found.merged)
        return found

    monkeypatch.setattr(class_clustering, "members", watched)
    X = wide_group_beside_small_ones().astype(np.float32)
    label_class(of_one_matrix(X), 3, np.random.default_rng(0), n_repeats=1)
    assert merged == [True, True]


def test_the_groups_of_a_half_that_is_better_go_to_all_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of them is better is said here, as real mixtures seldom make one; the halves are the real ones."""
    halves: list[np.ndarray] = []

    def watched(*args: Any) -> np.ndarray:
        halves.append(consensus_of_halves(*args))
        return halves[-1]

    monkeypatch.setattr(class_clustering, "consensus_of_halves", watched)
    monkeypatch.setattr(class_clustering, "better_half", lambda *_: 1)
    n = N_COMPARED + 100
    rng = np.random.default_rng(0)
    fit = fit_class(
        rng.normal(size=(n, 4)), "embedding", [5], rng, batch=None, background=None, has_counts=False,
        n_genes=2000, max_cells=n,
    )  # fmt: skip
    labels, agreement = label_class(fit.representations, 5, rng, n_repeats=1)
    compared = np.linspace(0, n - 1, N_COMPARED).astype(int)
    assert adjusted_rand_score(halves[-1][1], labels[compared]) == 1
    assert len(np.unique(labels)) == 5
    assert agreement.shape == (n,)
