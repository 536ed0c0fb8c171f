from __future__ import annotations

import numpy as np
import pytest

from falcon_sc.core.start.representation.principal_axes import principal_axes


@pytest.mark.parametrize("shape", [(40, 90), (90, 40), (700, 650)])
def test_principal_axes_equal_the_svd(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=shape).astype(np.float32) * (1 + 20 * (np.arange(shape[1]) < 4)) * np.linspace(2, 1, shape[1])
    X -= X.mean(axis=0)
    axes = principal_axes(X, 4)
    _, _, right = np.linalg.svd(X.astype(np.float64), full_matrices=False)
    np.testing.assert_allclose(np.abs(np.sum(axes.T * right[:4], axis=1)), 1, atol=1e-3)
