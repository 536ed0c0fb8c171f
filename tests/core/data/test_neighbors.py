from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from falcon_sc.core.data.neighbors import neighbors_within_classes


def _slow(X, codes, i, metric):
    others = [j for j in np.flatnonzero(codes == codes[i]) if j != i]
    if metric == "cosine":
        distance = [1 - X[i] @ X[j] / (np.linalg.norm(X[i]) * np.linalg.norm(X[j])) for j in others]
    else:
        distance = [np.linalg.norm(X[i] - X[j]) for j in others]
    order = np.argsort(distance, kind="stable")
    return [others[o] for o in order], [distance[o] for o in order]


@settings(max_examples=15)
@given(seed=st.integers(0, 1000), metric=st.sampled_from(["cosine", "euclidean"]))
def test_equals_the_slow_version(seed, metric):
    rng = np.random.default_rng(seed)
    X, codes = rng.normal(size=(40, 6)), rng.integers(0, 3, 40)
    found = neighbors_within_classes(X, codes, 4, metric=metric)
    for i in range(40):
        if (codes == codes[i]).sum() > 4:
            indices, distances = _slow(X, codes, i, metric)
            assert found.indices[i].tolist() == indices[:4]
            np.testing.assert_allclose(found.distances[i], distances[:4], atol=1e-4)


def test_small_classes_repeat_their_neighbors():
    X = np.array([[0.0, 1], [0.1, 1], [0.5, 1], [9, 9], [1, 0]])
    found = neighbors_within_classes(X, np.array([0, 0, 0, 1, -1]), 5).indices
    assert found[0].tolist() == [1, 2, 1, 2, 1]
    assert found[3].tolist() == [3] * 5, "a class of one sample has only itself"
    assert found[4].tolist() == [4] * 5, "a sample without a class has only itself"


def test_dense_and_sparse_agree(rng):
    X = sp.random(200, 30, density=0.4, format="csr", random_state=0)
    codes = rng.integers(0, 3, 200)
    dense = neighbors_within_classes(X.toarray(), codes, 5)
    for matrix in (X, sp.csr_array(X)):
        np.testing.assert_array_equal(neighbors_within_classes(matrix, codes, 5).indices, dense.indices)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_a_chunk_at_a_time_is_the_same(monkeypatch, rng, metric):
    X, codes = rng.normal(size=(300, 8)), np.zeros(300, dtype=int)
    whole = neighbors_within_classes(X, codes, 6, metric=metric)
    monkeypatch.setattr("falcon_sc.core.data.neighbors._CHUNK_ELEMENTS", 7 * 300)
    chunked = neighbors_within_classes(X, codes, 6, metric=metric)
    np.testing.assert_array_equal(whole.indices, chunked.indices)


def test_duplicates_are_neighbors_but_never_the_sample_itself():
    X = np.ones((6, 3))
    found = neighbors_within_classes(X, np.zeros(6, dtype=int), 5).indices
    for i in range(6):
        assert sorted(found[i].tolist()) == [j for j in range(6) if j != i]


def test_approximate_search_finds_most_neighbors_and_repeats_itself(rng):
    X, codes = rng.normal(size=(900, 5)), np.repeat([0, 1], [600, 300])
    exact = neighbors_within_classes(X, codes, 10)
    n_threads = torch.get_num_threads()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pynndescent and numba, about their own code
        near = neighbors_within_classes(X, codes, 10, exact_max=400, rng=3)
        again = neighbors_within_classes(X, codes, 10, exact_max=400, rng=3)
    assert torch.get_num_threads() == n_threads  # as before, although numba and torch may share their threads
    np.testing.assert_array_equal(near.indices, again.indices)
    np.testing.assert_array_equal(near.indices[600:], exact.indices[600:])  # a small class is searched exactly
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(near.indices[:600], exact.indices[:600], strict=True)])
    assert recall > 0.95
    assert (near.indices[:600] != np.arange(600)[:, None]).all()
    assert (near.indices[:600] < 600).all()


def test_same_on_the_device(device, rng):
    X, codes = rng.normal(size=(200, 8)), rng.integers(0, 4, 200)
    np.testing.assert_array_equal(
        neighbors_within_classes(X, codes, 5, device=device).indices, neighbors_within_classes(X, codes, 5).indices
    )
