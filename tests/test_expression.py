from __future__ import annotations

import logging

import numpy as np
import pytest
from anndata import AnnData
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy import sparse

from falcon_sc._expression import Expression, read_continuous, read_expression
from falcon_sc.core.data.rows import in_memory
from falcon_sc.core.start.coarse_classes import CoarseClasses
from falcon_sc.core.start.input import StartInput

COUNTS = np.random.default_rng(0).poisson(0.7, (40, 30)).astype(np.float64)
LOGNORM = np.log1p(COUNTS / COUNTS.sum(axis=1, keepdims=True) * 1e4)
LINEAR = COUNTS / COUNTS.sum(axis=1, keepdims=True) * 1e4


def _read(matrix) -> Expression:
    return read_expression(AnnData(matrix), None)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (COUNTS, "counts"),
        (COUNTS.astype(np.int64), "counts"),
        (COUNTS.astype(np.uint8), "counts"),
        (LOGNORM, "lognorm"),
        (LOGNORM[:, :10], "lognorm"),  # a panel: the rows no longer sum to 10,000
        (np.log2(1 + LINEAR), "lognorm"),
        (LINEAR, "linear"),
        (LINEAR / 1000, "linear"),  # as small as logarithms, but every cell sums to 10
        (COUNTS * 20.3, "linear"),  # corrected counts: no integers, not the same total
        (LOGNORM[:1], "lognorm"),  # the sum of a single cell says nothing
    ],
)
@pytest.mark.parametrize("flavor", [np.asarray, sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
def test_kind(values: np.ndarray, kind: str, flavor) -> None:
    assert _read(flavor(values)).kind == kind


@pytest.mark.parametrize("values", [COUNTS, LINEAR, LOGNORM])
@pytest.mark.parametrize("flavor", [np.asarray, np.asfortranarray, sparse.csr_matrix, sparse.csc_matrix])
def test_log_normalized(values: np.ndarray, flavor) -> None:
    result = _read(flavor(values)).log_normalized()
    assert isinstance(result, sparse.csr_matrix)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.toarray(), LOGNORM, rtol=1e-5)


def test_totals_run_over_all_genes() -> None:
    genes = np.arange(30) % 3 == 0
    np.testing.assert_allclose(_read(COUNTS).log_normalized(genes).toarray(), LOGNORM[:, genes], rtol=1e-5)
    order = np.array([5, 0, 7])
    np.testing.assert_allclose(_read(COUNTS).log_normalized(order).toarray(), LOGNORM[:, order], rtol=1e-5)


def test_a_normalized_matrix_shares_the_places_of_its_values() -> None:
    expression = _read(sparse.csr_matrix(COUNTS))
    for genes in (None, expression.expressed):
        assert np.shares_memory(expression.log_normalized(genes).indices, expression.values.indices)


@pytest.mark.parametrize("values", [COUNTS, LINEAR, LOGNORM])
def test_blocks_of_rows_change_nothing(values: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> list[np.ndarray]:
        expression = _read(sparse.csr_matrix(values))
        counts = [] if expression.counts is None else [in_memory(expression.counts).toarray()]
        genes = np.arange(30) % 3 == 0
        return [
            *counts,
            expression.log_normalized().toarray(),
            expression.log_normalized(genes).toarray(),
            expression.n_genes_of_cells,
            expression.n_cells_of_genes,
        ]

    whole = found()
    monkeypatch.setattr("falcon_sc.core.data.rows._VALUES", 50)
    for one, other in zip(whole, found(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_cell_without_counts_stays_zero() -> None:
    values = COUNTS.copy()
    values[3] = 0
    result = _read(values).log_normalized().toarray()
    assert np.isfinite(result).all()
    assert not result[3].any()


@given(npst.arrays(np.float32, (4, 3), elements=st.integers(0, 50).map(float)).filter(lambda a: a.any()))
def test_dense_and_sparse_agree(values: np.ndarray) -> None:
    dense, csr, csc = (_read(f(values)) for f in (np.asarray, sparse.csr_matrix, sparse.csc_matrix))
    for other in (csr, csc):
        assert (dense.log_normalized() != other.log_normalized()).nnz == 0
        np.testing.assert_array_equal(dense.expressed, other.expressed)


def test_stored_zeros_and_disorder_change_nothing_and_are_not_changed() -> None:
    data = np.array([3.0, 0.0, 1.0, 2.0, 5.0], dtype=np.float32)
    messy = sparse.csr_matrix((data, np.array([2, 1, 0, 2, 1]), np.array([0, 3, 5])), shape=(2, 4))
    before = data.copy(), messy.indices.copy()
    expression = _read(messy)
    np.testing.assert_array_equal(expression.expressed, [True, True, True, False])
    np.testing.assert_array_equal(expression.values.toarray(), [[1, 0, 3, 0], [0, 5, 2, 0]])
    np.testing.assert_array_equal(data, before[0])
    np.testing.assert_array_equal(messy.indices, before[1])
    assert not messy.has_sorted_indices


def test_counts_are_recovered_from_logarithms() -> None:
    rounded = np.round(LOGNORM, 3)  # as in files that were stored with few digits
    for values in (LOGNORM, rounded, LOGNORM[:, :20]):
        np.testing.assert_array_equal(in_memory(_read(values).counts).toarray(), COUNTS[:, : values.shape[1]])


@pytest.mark.parametrize("log", [np.log2, np.log10])
def test_other_bases_are_brought_to_natural_logarithms(log, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "falcon_sc"):
        expression = _read(log(1 + LINEAR))
    np.testing.assert_allclose(expression.values.toarray(), LOGNORM, rtol=1e-5)
    np.testing.assert_array_equal(in_memory(expression.counts).toarray(), COUNTS)
    assert "brought to the base e" in caplog.text


@pytest.mark.parametrize("share", [0.005, 0.05])
def test_one_rule_says_whether_there_are_counts(share: float) -> None:
    """Perturbed values: what the surface says, the start says as well."""
    rng = np.random.default_rng(0)
    perturbed = np.where((COUNTS > 1) & (rng.random(COUNTS.shape) < share), COUNTS + 0.4, COUNTS)
    lognorm = np.log1p(perturbed * rng.lognormal(0, 1, (40, 1)))
    classes = CoarseClasses(StartInput(lognorm.astype(np.float32), "lognorm"), np.zeros(40, dtype=np.int64))
    assert (_read(lognorm).counts is not None) == classes.has_counts == (share < 0.02)


def test_counts_are_not_invented() -> None:
    smooth = np.random.default_rng(1).gamma(1, 1, (40, 30))
    assert _read(smooth).kind == "lognorm"
    assert _read(smooth).counts is None
    assert _read(LINEAR).counts is None
    assert _read(COUNTS).counts.sum() == COUNTS.sum()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("flavor", [np.asarray, sparse.csr_matrix])
def test_nan_and_inf(bad: float, flavor) -> None:
    values = COUNTS.copy()
    values[1, 2] = bad
    with pytest.raises(ValueError, match=r"adata\.X holds NaN or inf"):
        _read(flavor(values))


def test_negative_values_look_scaled() -> None:
    with pytest.raises(ValueError, match=r"adata\.X holds negative values .*scaled.*layer='counts'"):
        _read(LOGNORM - LOGNORM.mean(axis=0))


def test_only_zeros() -> None:
    with pytest.raises(ValueError, match=r"adata\.X holds nothing but zeros"):
        _read(np.zeros((3, 2)))


def test_layers() -> None:
    adata = AnnData(LOGNORM, layers={"counts": COUNTS})
    assert read_expression(adata, "counts").kind == "counts"
    with pytest.raises(KeyError, match=r"layer='raw' is not in adata\.layers, which has: 'counts'"):
        read_expression(adata, "raw")
    with pytest.raises(ValueError, match=r"adata\.X is empty: choose one of the layers.*'counts'"):
        read_expression(AnnData(None, layers={"counts": COUNTS}), None)
    with pytest.raises(ValueError, match=r"adata\.X is empty, and there are no layers"):
        read_expression(AnnData(obs=adata.obs, var=adata.var), None)


def test_what_is_not_a_matrix_of_numbers() -> None:
    with pytest.raises(TypeError, match=r"adata\.X has dtype complex128: real numbers are needed"):
        _read(COUNTS.astype(complex))


def test_masked_values_are_missing_ones() -> None:
    """What lies under a mask is not looked at by whoever masked it; it was read like any other value."""
    hidden = np.ma.masked_array(COUNTS, mask=COUNTS == 3)
    for read in (read_expression, read_continuous):
        with pytest.raises(
            ValueError, match=r"adata\.X is a masked array, and .* masked: fill them first.*filled\(0\)"
        ):
            read(AnnData(hidden), None)
    np.testing.assert_array_equal(_read(np.ma.masked_array(COUNTS)).values.toarray(), COUNTS)


def test_what_was_assumed_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "falcon_sc"):
        _read(COUNTS).log_normalized()
    assert [record.message for record in caplog.records] == [
        "adata.X: taken for raw counts; normalized to 10,000 a cell, then log1p"
    ]


def test_stated_kinds() -> None:
    corrected = AnnData(COUNTS * np.random.default_rng(0).uniform(0.5, 1, COUNTS.shape))
    stated = read_expression(corrected, None, "counts")
    assert stated.kind == "counts"
    np.testing.assert_array_equal(stated.counts.toarray(), corrected.X.astype(np.float32))
    np.testing.assert_allclose(np.expm1(stated.log_normalized().toarray()).sum(axis=1), 1e4, rtol=1e-4)
    small = AnnData(COUNTS / 10)
    assert read_expression(small, None).kind == "linear"
    assert read_expression(small, None, "lognorm").kind == "lognorm"
    np.testing.assert_array_equal(
        read_expression(small, None, "lognorm").log_normalized().toarray(), np.float32(small.X)
    )
    with pytest.raises(ValueError, match=r"adata\.X holds negative values .*values='counts' cannot be"):
        read_expression(AnnData(-COUNTS), None, "counts")


def test_a_guess_that_is_hard_to_believe_is_a_warning() -> None:
    smooth = np.random.default_rng(1).gamma(2, 2, (40, 30))
    with pytest.warns(UserWarning, match=r"adata\.X was taken for log-normalized values.*Say values='counts'"):
        read_expression(AnnData(smooth * 1.5), None)
    assert read_expression(AnnData(smooth * 1.5), None, "lognorm").sure


@pytest.mark.parametrize("flavor", [np.asarray, np.asfortranarray, sparse.csr_matrix, sparse.csc_matrix])
def test_continuous_values_are_read_as_they_are(flavor) -> None:
    values = LOGNORM - 2
    found = read_continuous(AnnData(flavor(values)), None)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(
        found if isinstance(found, np.ndarray) else found.toarray(), values.astype(np.float32)
    )
    values[0, 0] = np.inf
    with pytest.raises(ValueError, match=r"adata\.X holds NaN or inf"):
        read_continuous(AnnData(flavor(values)), None)
