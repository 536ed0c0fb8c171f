from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from falcon_sc.core.start.representation.normalizations import (
    Normalizer,
    counts_behind,
    counts_can_be_recovered,
    pseudo_counts,
    rounded_units,
)


@pytest.fixture
def counts() -> np.ndarray:
    rng = np.random.default_rng(0)
    counts = rng.poisson(rng.gamma(2, 1, 60), size=(80, 60)).astype(np.float32)
    counts[:, 0] = 1  # the smallest positive count of every cell
    return counts


@pytest.mark.parametrize("target", [100.0, 1e4, 1e6])
def test_counts_are_recovered_from_log_normalized_values(counts: np.ndarray, target: float) -> None:
    lognorm = np.log1p(counts / counts.sum(1, keepdims=True) * target).astype(np.float32)
    np.testing.assert_allclose(pseudo_counts(lognorm), counts, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(pseudo_counts(sparse.csr_matrix(lognorm)).toarray(), counts, rtol=1e-4, atol=1e-4)
    assert counts_can_be_recovered(lognorm)
    assert counts_can_be_recovered(sparse.csr_matrix(lognorm))
    dense, csr = rounded_units(lognorm), rounded_units(sparse.csr_matrix(lognorm))
    assert dense.dtype == csr.dtype == np.float32
    np.testing.assert_array_equal(dense, counts)
    np.testing.assert_array_equal(csr.toarray(), counts)


def test_an_empty_cell_stays_empty() -> None:
    values = np.array([[0.0, 0], [np.log1p(2), np.log1p(6)]])
    for given in (values, sparse.csr_matrix(values)):
        found = pseudo_counts(given)
        found = found if isinstance(found, np.ndarray) else found.toarray()
        np.testing.assert_allclose(found, [[0, 0], [1, 3]], rtol=1e-6)


def test_counts_behind_rates(counts: np.ndarray) -> None:
    rates = counts * np.random.default_rng(1).lognormal(0, 1, (80, 1))
    np.testing.assert_array_equal(counts_behind(rates), counts)
    before = rates.copy()
    counts_behind(rates)
    np.testing.assert_array_equal(rates, before)


def test_what_is_no_count_is_not_taken_for_one(counts: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    assert counts_behind(counts + rng.random(counts.shape)) is None
    assert counts_behind((counts > 0).astype(float)) is None
    assert counts_behind(np.zeros((3, 3))) is None
    assert counts_behind(np.array([[1.0, 2, 3]])) is None  # too few values to prove anything


@pytest.mark.parametrize(("share", "are_counts"), [(0.01, True), (0.05, False)])
def test_perturbed_values(counts: np.ndarray, share: float, are_counts: bool) -> None:
    """The same answer for the first cells and for all of them, wherever the perturbed values are."""
    rng = np.random.default_rng(2)
    perturbed = np.where((counts > 1) & (rng.random(counts.shape) < share), counts + 0.4, counts)
    lognorm = np.log1p(perturbed / 50)
    assert counts_can_be_recovered(lognorm) == are_counts
    assert counts_can_be_recovered(sparse.csr_matrix(lognorm)) == are_counts


def test_values_of_one_do_not_outvote_what_is_no_count() -> None:
    """Nine in ten values are the smallest of their cell, which are whole numbers in any matrix."""
    rng = np.random.default_rng(3)
    rates = np.where(rng.random((50, 100)) < 0.02, rng.uniform(1.1, 9, (50, 100)), 1.0)
    assert counts_behind(rates) is None


def test_matrices_by_their_formulas(counts: np.ndarray) -> None:
    library = counts.sum(axis=1, dtype=np.float64) * 2  # half of the library lies in other genes
    found = Normalizer.learn("counts", counts, counts, library).apply(counts, counts, library)
    log = np.log1p(counts / library[:, None] * np.median(library))
    np.testing.assert_allclose(found["log"], log, rtol=1e-5, atol=1e-6)
    sd = log.std(axis=0)
    np.testing.assert_allclose(found["scaled"], np.clip((log - log.mean(axis=0)) / sd, -10, 10), rtol=1e-3, atol=1e-4)
    assert (counts.sum(axis=0) > 0).all()
    mu = np.outer(library, counts.sum(axis=0) / library.sum())
    residual = np.clip((counts - mu) / np.sqrt(mu + mu**2 / 100), -np.sqrt(80), np.sqrt(80))
    np.testing.assert_allclose(found["pearson"], residual, rtol=1e-4, atol=1e-5)


def test_a_gene_that_was_not_expected_has_no_residual(counts: np.ndarray) -> None:
    learned = counts.copy()
    learned[:, 5] = 0
    normalizer = Normalizer.learn("counts", learned, learned, learned.sum(axis=1))
    residual = normalizer.apply(counts, counts, counts.sum(axis=1))["pearson"]
    assert counts[:, 5].any()
    np.testing.assert_array_equal(residual[:, 5], 0)


def test_no_residuals_without_counts() -> None:
    values = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    found = Normalizer.learn("embedding", values, None, None).apply(values, None, None)
    assert list(found) == ["log", "scaled"]
    np.testing.assert_array_equal(found["log"], values)
    np.testing.assert_allclose(found["scaled"].std(axis=0), 1, rtol=1e-5)
