from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from falcon_sc.core.data.projection import fit_projection


def _data(rng, n=300, d=40):
    return sp.csr_array(rng.poisson(rng.gamma(1.0, 1.0, d), (n, d)).astype(np.float32))


def test_equals_the_singular_vectors_of_the_centered_matrix(rng):
    X = _data(rng)
    projection = fit_projection(X, 5, rng)
    scores = projection(X)
    dense = X.toarray().astype(np.float64)
    U = np.linalg.svd(dense - dense.mean(axis=0), full_matrices=False)[0]
    for i in range(5):
        assert abs(np.corrcoef(scores[:, i], U[:, i])[0, 1]) > 0.99
    np.testing.assert_allclose(scores.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(scores.var(axis=0).mean(), 1, rtol=0.01)


def test_dense_and_sparse_agree(rng):
    X = _data(rng)
    one = fit_projection(X, 4, np.random.default_rng(1))
    two = fit_projection(X.toarray(), 4, np.random.default_rng(1))
    np.testing.assert_allclose(one(X), two(X.toarray()), atol=1e-4)


def test_fitted_on_part_of_many_samples(monkeypatch, rng):
    X = _data(rng)
    whole = fit_projection(X, 3, np.random.default_rng(1))
    monkeypatch.setattr("falcon_sc.core.data.projection._FIT_MAX", 100)
    part = fit_projection(X, 3, np.random.default_rng(1))
    assert part(X).shape == (300, 3)
    assert np.isclose(100 * part.mean, np.rint(100 * part.mean), atol=1e-3).all()  # means of 100 counts
    assert not np.isclose(100 * whole.mean, np.rint(100 * whole.mean), atol=1e-3).all()


def test_constant_input_is_finite():
    X = np.ones((10, 6), dtype=np.float32)
    assert np.isfinite(fit_projection(X, 3, np.random.default_rng(0))(X)).all()
