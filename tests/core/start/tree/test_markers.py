from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control, ttest_ind

from falcon_sc.core.start.tree.markers import n_markers, scaled

SIDE = np.arange(200) % 2 == 0


def test_those_that_were_planted_are_counted() -> None:
    rng = np.random.default_rng(0)
    rates = np.full((200, 50), 3.0)
    rates[SIDE, :4] *= 4
    assert n_markers(np.log1p(rng.poisson(rates)), SIDE) == 4
    assert n_markers(np.log1p(rng.poisson(np.full((200, 50), 3.0))), SIDE) == 0


def test_a_gene_that_one_side_lacks_is_one() -> None:
    counts = np.random.default_rng(0).poisson(3.0, (200, 10))
    counts[SIDE, 2] = 0
    counts[~SIDE, 3] = 0
    counts[:, 4] = 1  # alike in all cells
    counts[SIDE, 5] = 2  # alike on one side
    assert n_markers(np.log1p(counts), SIDE) == 2


def test_too_few_cells_say_nothing() -> None:
    counts = np.random.default_rng(0).poisson(3.0, (200, 10))
    assert np.isnan(n_markers(np.log1p(counts), np.arange(200) < 2))


@pytest.mark.parametrize("seed", range(3))
def test_the_number_by_the_tests_of_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.log1p(rng.poisson(rng.gamma(1, 2, 60) * np.where(SIDE[:, None], 1, rng.choice([1, 1, 3], 60))))
    p = ttest_ind(values[SIDE], values[~SIDE], equal_var=False).pvalue
    means = [np.expm1(values[side]).mean(axis=0) + 0.01 for side in (SIDE, ~SIDE)]
    ratio = np.maximum(means[0] / means[1], means[1] / means[0])
    assert n_markers(values, SIDE) == ((false_discovery_control(p) < 0.05) & (ratio >= 2)).sum() > 0


def test_counts_are_scaled_to_the_median_total() -> None:
    counts = np.array([[1, 3], [4, 4], [10, 10]], dtype=np.uint16)
    np.testing.assert_allclose(scaled(counts).sum(axis=1), 8)
