from __future__ import annotations

import numpy as np
import pytest

from falcon_sc.core.start.representation.principal_axes import LEADING, one_axis_leads, principal_axes


@pytest.mark.parametrize("shape", [(40, 90), (90, 40), (700, 650)])
def test_principal_axes_equal_the_svd(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=shape).astype(np.float32) * (1 + 20 * (np.arange(shape[1]) < 4)) * np.linspace(2, 1, shape[1])
    X -= X.mean(axis=0)
    axes = principal_axes(X, 4)
    _, _, right = np.linalg.svd(X.astype(np.float64), full_matrices=False)
    np.testing.assert_allclose(np.abs(np.sum(axes.T * right[:4], axis=1)), 1, atol=1e-3)


def test_an_axis_leads_with_twice_the_variance_of_the_next() -> None:
    X = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    X /= X.std(axis=0)
    assert not one_axis_leads(X * np.sqrt([0.99 * LEADING, 1, 1]))
    assert one_axis_leads(X * np.sqrt([1.01 * LEADING, 1, 1]))
    assert not one_axis_leads(X[:, :1])
    assert not one_axis_leads(np.zeros((5, 3), dtype=np.float32))
