from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from falcon_sc.core.start import class_clustering
from falcon_sc.core.start.class_clustering import N_LANDMARKS, N_PATHS, fit_class, label_class
from falcon_sc.core.start.consensus import consensus_labels


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


def line(seed: int, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Counts of cells that mature along a line, with 20 faint genes beside it that go together; and the third of the line."""
    rng = np.random.default_rng(seed)
    along, beside = rng.random(n), rng.integers(2, size=n)
    slopes = np.zeros(150)
    slopes[:60] = rng.choice([-2.0, 2.0], 60)
    rate = rng.gamma(2, 2, 150) * np.exp(along[:, None] * slopes)
    rate[:, 60:80] *= np.exp(0.7 * beside[:, None])
    return rng.poisson(rate).astype(np.float32), (3 * along).astype(int)


def test_a_line_is_cut_across_where_it_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> list[float]:
        scores = []
        for seed in range(3):
            counts, third = line(seed)
            rng = np.random.default_rng(0)
            fit = fit_class(
                counts, "counts", [3], rng, batch=None, background=None, has_counts=True, n_genes=150, max_cells=400
            )
            labels, _ = label_class(fit.representations, 3, rng, n_repeats=2)
            scores.append(float(adjusted_rand_score(third, labels)))
        return scores

    across = found()
    monkeypatch.setattr("falcon_sc.core.start.representation.principal_axes.LEADING", np.inf)
    elsewhere = found()
    assert np.mean(across) > 0.55
    assert np.mean(across) > np.mean(elsewhere) + 0.15
    assert all(own > other for own, other in zip(across, elsewhere, strict=True))


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
    assert len(curves[0]) == len(curves[1])


def test_there_are_several_paths_in_each_representation_from_other_starts() -> None:
    counts = np.random.default_rng(0).poisson(2.0, (150, 40)).astype(np.float32)
    fit = fit_class(
        counts, "counts", [1, 2, 3, 4], np.random.default_rng(0), batch=None, background=None, has_counts=True,
        n_genes=40, max_cells=150,
    )  # fmt: skip
    n = len(fit.representations.contrasted_components())
    assert fit.log_likelihood is not None
    paths = fit.log_likelihood.reshape(-1, n, 4)
    assert len(paths) == N_PATHS > 1
    np.testing.assert_allclose(paths[:, :, 0] - paths[0, :, 0], 0, atol=1e-6)  # one component is the same from anywhere
    assert not np.allclose(paths[0], paths[1], atol=1e-6)
