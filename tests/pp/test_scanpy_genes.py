from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from falcon_sc.pp._scanpy_genes import most_variable_across_batches, scanpy_table


@pytest.mark.parametrize("n_top_genes", [20, 57])
def test_batches_one_after_the_other_as_scanpy_at_once(rng: np.random.Generator, n_top_genes: int) -> None:
    counts = sparse.csr_matrix(rng.poisson(rng.gamma(0.5, 0.4, 150), (150, 150)).astype(np.float32))  # many ties
    batch = np.repeat([0, 1, 2], [30, 50, 70])
    options = {"flavor": "seurat_v3", "span": 1.0}
    expected = scanpy_table(counts, n_top_genes, batch, **options)["highly_variable"]
    own = [
        scanpy_table(counts[batch == b], n_top_genes, np.zeros((batch == b).sum(), dtype=int), **options)
        for b in range(3)
    ]
    variances = np.stack([table["variances_norm"] for table in own])
    np.testing.assert_array_equal(most_variable_across_batches(variances, n_top_genes), expected)
