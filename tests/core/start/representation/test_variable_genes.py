from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from falcon_sc.core.start.representation.variable_genes import select_variable_genes, standardized_variance


def simulate(rng: np.random.Generator, n: int = 400, g: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Poisson genes, of which the first ten differ between two hidden groups."""
    rate = rng.gamma(1, 2, g)
    group = rng.integers(2, size=n)
    fold = np.ones((2, g))
    fold[1, :10] = 6
    rate[:10] = 1
    return rng.poisson(rate * fold[group]).astype(np.float32), group


@pytest.mark.filterwarnings("ignore:The .future.infer_string. option")  # anndata with pandas 3.1
def test_standardized_variance_equals_scanpys() -> None:
    import anndata as ad
    import scanpy as sc

    counts, _ = simulate(np.random.default_rng(0))
    adata = ad.AnnData(sparse.csr_matrix(counts))
    frame = sc.pp.highly_variable_genes(adata, flavor="seurat_v3", n_top_genes=50, inplace=False)
    np.testing.assert_allclose(standardized_variance(counts), frame["variances_norm"], rtol=1e-4, atol=1e-6)


def test_dense_equals_csr() -> None:
    counts, _ = simulate(np.random.default_rng(1))
    np.testing.assert_allclose(
        standardized_variance(counts), standardized_variance(sparse.csr_matrix(counts)), rtol=1e-6
    )


def test_informative_genes_come_first() -> None:
    counts, _ = simulate(np.random.default_rng(2))
    np.testing.assert_array_equal(select_variable_genes(counts, 10), np.arange(10))


def test_a_gene_of_one_donor_is_not_chosen() -> None:
    rng = np.random.default_rng(3)
    counts, _ = simulate(rng)
    donor = rng.integers(3, size=len(counts))
    counts[:, 50:60] = rng.poisson(np.where(donor[:, None] == 0, 20, 0.5), size=(len(counts), 10))
    assert len(np.intersect1d(select_variable_genes(counts, 10), np.arange(50, 60))) > 5
    np.testing.assert_array_equal(select_variable_genes(counts, 10, donor), np.arange(10))


def test_constant_genes_are_left_out() -> None:
    counts, _ = simulate(np.random.default_rng(4))
    counts[:, 20:] = 3
    np.testing.assert_array_equal(select_variable_genes(counts, 100), np.arange(20))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_cells(n: int) -> None:
    counts, _ = simulate(np.random.default_rng(5), n=n)
    assert np.isfinite(standardized_variance(counts)).all()


def test_many_genes_with_one_mean_keep_a_local_trend() -> None:
    """Half of the genes were seen once: plain loess is singular there, the trend still follows the others."""
    rng = np.random.default_rng(6)
    counts = np.zeros((200, 400), dtype=np.float32)
    counts[rng.integers(200, size=200), np.arange(200)] = 1
    counts[:, 200:] = rng.poisson(np.geomspace(0.05, 50, 200), size=(200, 200))
    counts[:, 300] *= rng.integers(0, 5, 200)  # one gene far above the trend
    found = standardized_variance(counts)
    assert found.argmax() == 300
    np.testing.assert_allclose(np.median(found[:200]), 1, atol=0.3)
    np.testing.assert_allclose(np.median(found[200:]), 1, atol=0.3)
