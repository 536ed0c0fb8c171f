from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy import sparse

from falcon_sc._kinds import UnusableValuesError, check_stated, check_values, equal_sums, recognize

RNG = np.random.default_rng(0)
COUNTS = RNG.poisson(RNG.gamma(1, 1.5, 60), (50, 60)).astype(np.float64)
TOTALS = COUNTS.sum(axis=1, keepdims=True)
LINEAR = COUNTS / TOTALS * 1e4
LOGNORM = np.log1p(LINEAR)
SIZE_FACTORS = RNG.lognormal(0, 0.5, (50, 1))
SMOOTH = RNG.gamma(1, 1, (50, 60))
SOUP = np.where(COUNTS > 0, np.maximum(COUNTS - 0.1 * TOTALS * COUNTS.sum(axis=0) / COUNTS.sum(), 0), 0)

KINDS = {
    "counts": (COUNTS, "counts"),
    "log, 10,000": (LOGNORM, "lognorm"),
    "log, median": (np.log1p(LINEAR / 80), "lognorm"),
    "log, a million": (np.log1p(LINEAR * 100), "lognorm"),
    "log, a panel": (LOGNORM[:, :20], "lognorm"),  # sums differ, whole numbers are behind it
    "log, size factors": (np.log1p(COUNTS / SIZE_FACTORS), "lognorm"),
    "log, not normalized": (np.log1p(COUNTS), "lognorm"),
    "log, of corrected counts": (np.log1p(SOUP / SOUP.sum(axis=1, keepdims=True) * 1e4), "lognorm"),
    "log, two digits": (np.round(LOGNORM, 2), "lognorm"),
    "log2": (np.log2(1 + LINEAR), "lognorm"),
    "log10": (np.log10(1 + LINEAR), "lognorm"),
    "rates": (LINEAR, "linear"),
    "small rates": (LINEAR / 1000, "linear"),  # as small as logarithms, but every cell sums to 10
    "shares": (LINEAR / 1e4, "linear"),  # so small that a logarithm would hardly change them
    "log of shares": (np.log1p(LINEAR / 1e4), "lognorm"),
    "size factors": (COUNTS / SIZE_FACTORS, "linear"),
    "counts less up to 5 %": (COUNTS * RNG.uniform(0.95, 1, COUNTS.shape), "linear"),
    "ambient molecules taken off": (SOUP, "linear"),
    "estimated counts": (COUNTS * np.where(RNG.random(COUNTS.shape) < 0.3, 0.7, 1), "linear"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind: str) -> None:
    values, expected = KINDS[kind]
    found = recognize(sparse.csr_matrix(values.astype(np.float32)), "X")
    assert found.kind == expected
    assert found.sure
    assert found.base == pytest.approx({"log2": 2, "log10": 10}.get(kind, np.e))


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"ambient molecules taken off"}))  # few values near two
def test_a_few_cells_are_enough(kind: str) -> None:
    values, expected = KINDS[kind]
    few = sparse.csr_matrix(values[:5].astype(np.float32))
    assert recognize(few, "X").kind == expected


def test_without_evidence_it_is_a_guess() -> None:
    found = recognize(sparse.csr_matrix(SMOOTH), "X")
    assert found.kind == "lognorm"
    assert not found.sure
    assert found.plausible
    large = recognize(sparse.csr_matrix(np.random.default_rng(1).uniform(0, 20, (50, 60))), "X")
    assert not large.sure
    assert not large.plausible  # e^20 molecules of a gene
    assert not recognize(sparse.csr_matrix(np.repeat(SMOOTH[:1], 5, axis=0)), "X").sure  # copies of one cell


def test_equal_sums() -> None:
    assert equal_sums(np.array([10.0, 10.001, 0.0, 9.999]))
    assert not equal_sums(np.array([10.0, 10.5, 9.9]))
    assert not equal_sums(np.array([10.0, 10.0]))  # two are not enough


@pytest.mark.parametrize(
    ("values", "stated", "message"),
    [
        (-COUNTS, "counts", r"negative values .*values='counts' cannot be.*values='continuous'"),
        (-COUNTS, "lognorm", r"negative values .*values='lognorm' cannot be"),
        (LINEAR, "lognorm", r"values up to .*values='lognorm' cannot be: no logarithm"),
        (COUNTS + np.inf, "counts", "NaN or inf"),
        (np.full((2, 2), np.nan), "continuous", "NaN or inf"),
        (np.zeros((2, 2)), "counts", "nothing but zeros"),
        (SMOOTH * -1e20, "continuous", "X holds values as large as .*beyond 1e.15.*correct or remove them"),
    ],
)
def test_what_cannot_be(values: np.ndarray, stated, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_stated(sparse.csr_matrix(values), "X", stated)


def test_what_can_be() -> None:
    check_stated(sparse.csr_matrix(COUNTS), "X", "counts")
    check_stated(sparse.csr_matrix(SOUP), "X", "counts")
    check_stated(sparse.csr_matrix(SMOOTH), "X", "lognorm")
    check_stated(-SMOOTH, "X", "continuous")
    check_values(None)
    with pytest.raises(
        ValueError, match=r"values must be None or one of 'counts', 'lognorm', 'continuous', found 'tpm'"
    ):
        check_values("tpm")


def test_the_error_comes_back_from_other_processes() -> None:
    """What joblib and multiprocessing send is pickled; a pool waits forever for an error that cannot be read."""
    with pytest.raises(UnusableValuesError) as caught:
        recognize(sparse.csr_matrix(-COUNTS), "adata.X")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.found) == (str(caught.value), caught.value.found)


def test_values_that_are_no_molecules_are_refused() -> None:
    counts = sparse.csr_matrix(np.array([[1, 1e30], [2, 3]], dtype=np.float32))
    with pytest.raises(
        ValueError, match=r"adata\.X holds values as large as 1e\+30, which are neither counts nor rates"
    ):
        recognize(counts, "adata.X")
