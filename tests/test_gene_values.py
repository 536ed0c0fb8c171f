from __future__ import annotations

import numpy as np
import pytest
from anndata import AnnData

from falcon_sc._gene_values import read_gene_values


def test_what_was_said_of_the_matrix_holds(rng) -> None:
    z = rng.normal(size=(20, 4)).astype(np.float32)
    z[:, 2] = 1
    adata = AnnData(rng.poisson(3, (20, 4)).astype(np.float32) + 1, layers={"z": z})
    about = {"params": {"layer": "z", "assumed": "continuous"}}
    values = read_gene_values(adata, about, "z")
    assert values.continuous
    assert values.genes.tolist() == [0, 1, 3]
    np.testing.assert_array_equal(values.matrix.toarray(), z[:, values.genes])
    np.testing.assert_array_equal(values.found(np.arange(len(z))).toarray(), (z > z.mean(axis=0))[:, values.genes])
    counts = read_gene_values(adata, about, None)  # another matrix
    assert not counts.continuous
    assert counts.matrix.max() > 5  # log-normalized to 10,000
    np.testing.assert_array_equal(counts.found(np.array([3, 1])).toarray(), counts.matrix.toarray()[[3, 1]] > 0)
    with pytest.raises(
        ValueError, match=r"negative .*: raw counts or log-normalized values are compared\. Name a layer"
    ):
        read_gene_values(adata, {"params": {"layer": "z", "assumed": "x", "use_rep": "X_pca"}}, "z")
    with pytest.raises(ValueError, match="values must be None or one of"):
        read_gene_values(adata, about, "z", "tpm")
