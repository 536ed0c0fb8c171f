"""What all baselines have in common."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from falcon_sc import baselines
from falcon_sc.baselines import FairKMeans, FairLeiden, FairMixture
from falcon_sc.metrics import clustering_accuracy

from .blobs import PARENTS, TRUE_COUNTS, blobs

LEIDEN = pytest.mark.leiden
SEEDED = sorted(set(baselines.__all__) - {"PeakCounts", "SCVILeiden"})  # the latter asks for scVI before anything else
METHODS = [FairKMeans, pytest.param(FairLeiden, marks=LEIDEN), FairMixture]


@pytest.mark.parametrize("method", METHODS)
def test_finds_planted_blobs(method):
    X, coarse, fine = blobs()
    model = method(len(PARENTS)).fit(X, coarse)
    assert clustering_accuracy(fine, model.labels_) == 1
    assert model.labels_.dtype == np.int64
    assert model.coarse_names_.tolist() == ["a", "b", "c", "d"]
    assert model.n_per_class_.tolist() == [3, 1, 2, 1]


@pytest.mark.parametrize(
    ("method", "n_fine"),
    # mixtures lose components that are nowhere the most probable
    [
        *[(FairKMeans, 7), (FairKMeans, 10), (FairKMeans, 16), (FairMixture, 7)],
        *[pytest.param(FairLeiden, n_fine, marks=LEIDEN) for n_fine in (7, 16)],
    ],
)
def test_hits_the_total_with_nested_labels(method, n_fine):
    X, coarse, _ = blobs()
    model = method(n_fine).fit(X, coarse)
    assert np.array_equal(np.unique(model.labels_), np.arange(n_fine))
    assert model.n_per_class_.sum() == n_fine
    parents = [np.unique(coarse[model.labels_ == k]) for k in range(n_fine)]
    assert np.array_equal(np.concatenate(parents), np.repeat(model.coarse_names_, model.n_per_class_))
    sizes = np.split(np.bincount(model.labels_), np.cumsum(model.n_per_class_)[:-1])
    assert all((np.diff(part) <= 0).all() for part in sizes)


def test_mixture_says_how_many_it_kept():
    X, coarse, _ = blobs()
    model = FairMixture(16).fit(X, coarse)
    assert 7 <= model.n_per_class_.sum() < 16
    assert np.array_equal(np.unique(model.labels_), np.arange(model.n_per_class_.sum()))


@pytest.mark.parametrize("method", METHODS)
def test_same_seed_same_labels(method):
    rng = np.random.default_rng(0)
    X, coarse = rng.normal(size=(120, 4)), np.repeat(["a", "b"], 60)
    first, again, other = (method(12, rng=seed).fit(X, coarse).labels_ for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("method", METHODS)
def test_draws_nothing_from_global_generators(method):
    X, coarse, _ = blobs()
    before = np.random.get_state()  # noqa: NPY002
    method(8).fit(X, coarse)
    np.testing.assert_equal(np.random.get_state(), before)  # noqa: NPY002


@pytest.mark.parametrize("method", [FairKMeans, FairMixture])
def test_numbers_of_a_mapping_are_kept(method):
    X, coarse, fine = blobs()
    assert clustering_accuracy(fine, method(TRUE_COUNTS).fit(X, coarse).labels_) == 1
    assert method({"a": 1, "b": 4, "c": 2, "d": 1}).fit(X, coarse).n_per_class_.tolist() == [1, 4, 2, 1]


@pytest.mark.parametrize("method", [FairKMeans, FairMixture])
def test_equal_samples_stay_together(method):
    X = np.repeat([[0.0, 0.0], [5.0, 5.0], [9.0, 0.0]], 10, axis=0)
    coarse = np.repeat(["a", "b"], [10, 20])
    assert method(6).fit(X, coarse).n_per_class_.tolist() == [1, 2]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (sparse.csr_matrix, TypeError, "X must be a dense matrix, found csr_matrix: give principal components"),
        (np.ravel, ValueError, r"X must be a matrix of samples and features, found shape \("),
        (lambda X: np.where(X > 5, np.nan, X), ValueError, "X has values that are NaN or infinite"),
    ],
    ids=["sparse", "flat", "missing"],
)
def test_what_is_no_matrix_of_scores_is_refused(method, change, kind, message):
    X, coarse, _ = blobs()
    with pytest.raises(kind, match=message):
        method(7).fit(change(X), coarse)


@pytest.mark.parametrize("change", [pd.DataFrame, torch.tensor, np.ndarray.tolist], ids=["table", "tensor", "list"])
def test_scores_may_come_in_any_dense_matrix(change):
    X, coarse, _ = blobs()
    model = FairKMeans(7).fit(X, coarse)
    assert np.array_equal(FairKMeans(7).fit(change(X), coarse).labels_, model.labels_)
    assert np.array_equal(model.predict(change(X), coarse), model.labels_)
    with pytest.raises(TypeError, match="X must be a dense matrix, found csr_matrix"):
        model.predict(sparse.csr_matrix(X), coarse)


@pytest.mark.parametrize("name", [pytest.param(name, marks=[LEIDEN] * (name == "FairLeiden")) for name in SEEDED])
@pytest.mark.parametrize(
    ("rng", "kind", "message"),
    [("one", TypeError, "rng must be an int, .* found 'one'"), (-1, ValueError, "rng must not be negative, found -1")],
)
def test_no_seed_is_refused_in_words(name, rng, kind, message):
    X, coarse, fine = blobs()
    method, labels = getattr(baselines, name), {"fine": fine} if name == "UpperBound" else {}
    of_seed = (
        partial(method, X) if name == "count_density_peaks" else lambda rng: method(7, rng=rng).fit(X, coarse, **labels)
    )
    with pytest.raises(kind, match=message):
        of_seed(rng=rng)
