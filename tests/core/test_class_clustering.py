from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from falcon_sc.core.class_clustering import fit_class, label_class


def test_mixtures_without_depth_are_outvoted_and_lower_the_agreement() -> None:
    """Two borders: one along the depth, a fainter one across. Of six mixtures in a view two do not see the depth."""
    rng = np.random.default_rng(0)
    deep, kind = rng.integers(2, size=(2, 400))
    X = np.c_[np.outer(deep, [10, 10, 10, 10]), 2 * kind] + rng.normal(0, 0.3, (400, 5))
    fit = fit_class(
        X, "embedding", [2], rng, batch=None, background=None, has_counts=False, n_genes=2000, max_cells=1000
    )
    labels, agreement = label_class(fit.views, 2, rng, n_repeats=4)
    assert adjusted_rand_score(deep, labels) == 1
    np.testing.assert_array_equal(agreement, 1)

    depth = ((deep - deep.mean()) / deep.std()).astype(np.float32)
    fit = replace(fit, views=replace(fit.views, depth=depth))
    labels, agreement = label_class(fit.views, 2, rng, n_repeats=4)
    assert adjusted_rand_score(deep, labels) == 1
    # the two put half of the cells of either class together with half of the other
    assert agreement.mean() == pytest.approx((4 + 2 / 2) / 6, abs=0.01)
