from __future__ import annotations

import sys

import numpy as np
import pytest

from falcon_sc.baselines import FairLeiden
from falcon_sc.baselines.leiden import _edges

from .blobs import TRUE_COUNTS, blobs


@pytest.mark.leiden
@pytest.mark.parametrize("missing", ["igraph", "leidenalg"])
def test_says_what_to_install(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    X, coarse, _ = blobs()
    with pytest.raises(ImportError, match=missing) as caught:
        FairLeiden(7).fit(X, coarse)
    assert caught.value.__notes__ == ["Leiden comes with scanpy: pip install 'scanpy[leiden]'"]


@pytest.mark.leiden
def test_refuses_numbers_for_each_class():
    X, coarse, _ = blobs()
    with pytest.raises(TypeError, match="give the total; one resolution"):
        FairLeiden(TRUE_COUNTS).fit(X, coarse)


@pytest.mark.leiden
@pytest.mark.parametrize(("n_neighbors", "error"), [(0, ValueError), (1.5, TypeError)])
def test_neighbors_are_counted(n_neighbors, error):
    X, coarse, _ = blobs()
    with pytest.raises(error, match="n_neighbors must be"):
        FairLeiden(7, n_neighbors=n_neighbors).fit(X, coarse)


@pytest.mark.leiden
def test_nearest_total_is_kept_where_none_fits():
    # two components that nothing joins: no resolution gives one cluster in each of the two classes
    X = np.repeat([[0.0], [100.0]], 40, axis=0) + np.random.default_rng(0).normal(size=(80, 1))
    model = FairLeiden(2).fit(np.vstack([X, X]), np.repeat(["a", "b"], 80))
    assert model.n_per_class_.tolist() == [2, 2]


def test_edges_are_those_of_either_neighbor():
    X = np.array([[0.0], [1.0], [3.0], [7.0]])
    assert _edges(X, 1).tolist() == [[0, 1], [1, 2], [2, 3]]
    assert _edges(X[:1], 1).shape == (0, 2)
    assert len(_edges(X, 15)) == 6
