from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import adjusted_rand_score

from falcon_sc.core.data.memory_rows import MemoryRows
from falcon_sc.core.start import consensus_start as module
from falcon_sc.core.start.class_clustering import N_PATHS
from falcon_sc.core.start.consensus_start import consensus_start
from falcon_sc.core.start.input import StartInput
from falcon_sc.core.start.numbers import gains_along

if TYPE_CHECKING:
    from falcon_sc.core.start.start import Start

N_TRUE = np.array([3, 1, 2])


def simulate(seed: int = 0, n: int = 300, g: int = 120) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts, coarse and fine codes: three coarse classes of 60, 30 and 10 % with 3, 1 and 2 fine classes."""
    rng = np.random.default_rng(seed)
    coarse = rng.permutation(np.repeat(np.arange(3), [n * 6 // 10, n * 3 // 10, n // 10]))
    offset = np.cumsum(N_TRUE) - N_TRUE
    fine = offset[coarse] + (rng.random(n) * N_TRUE[coarse]).astype(int)
    fold = np.exp(rng.normal(0, 1.5, (N_TRUE.sum(), g)) * (rng.random((N_TRUE.sum(), g)) < 0.12))
    rate = rng.gamma(1, 1.5, g) * fold[fine] * np.exp(rng.normal(0, 0.3, (n, 1)))
    return rng.poisson(rate * rng.gamma(4, 0.25, (n, g))).astype(np.float32), coarse, fine


def check(start: Start, coarse: np.ndarray, n_fine: int) -> None:
    """Every fine class is used and lies in one coarse class; codes follow coarse class, then falling size."""
    n_per_class = start.relation.sum(axis=0, dtype=np.int64)
    assert n_per_class.sum() == n_fine
    np.testing.assert_array_equal(np.unique(start.labels), np.arange(n_fine))
    assert start.agreement.dtype == np.float32
    assert (start.agreement > 0).all()
    assert (start.agreement <= 1).all()
    parent = np.repeat(np.arange(len(n_per_class)), n_per_class)
    np.testing.assert_array_equal(parent[start.labels], coarse)
    sizes = np.bincount(start.labels)
    for c in range(len(n_per_class)):
        assert (np.diff(sizes[parent == c]) <= 0).all()


@pytest.mark.parametrize("kind", ["counts", "lognorm", "embedding"])
def test_planted_classes_are_found(kind: str) -> None:
    counts, coarse, fine = simulate()
    matrix = counts if kind == "counts" else np.log1p(counts / counts.sum(1, keepdims=True) * 1e3)
    if kind == "embedding":
        centered = matrix - matrix.mean(axis=0)
        matrix = centered @ np.linalg.svd(centered, full_matrices=False)[2][:20].T
    start = consensus_start(StartInput(matrix, kind), coarse, 6, rng=0, n_jobs=1)
    check(start, coarse, 6)
    np.testing.assert_array_equal(start.relation.sum(axis=0), N_TRUE)
    assert adjusted_rand_score(fine, start.labels) > 0.95
    assert start.latents is not None
    assert start.latents.dtype == np.float32
    assert np.isfinite(start.latents).all()


def intensities() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Four markers that tell types apart, and faint ones that all rise together in half of the cells of any type."""
    rng = np.random.default_rng(0)
    fine = rng.integers(4, size=600)
    markers = 2.5 * ((fine[:, None] % 2) == [0, 1, 0, 1]) + rng.normal(0, 0.6, (600, 4))
    faint = 0.3 * rng.integers(2, size=(600, 1)) + rng.normal(0, 0.1, (600, 30))
    return np.hstack([markers, faint]).astype(np.float32), fine // 2, fine


def test_markers_of_a_panel_count_in_their_own_scale(caplog: pytest.LogCaptureFixture) -> None:
    X, coarse, fine = intensities()
    with caplog.at_level("INFO"):
        start = consensus_start(StartInput(X, "panel"), coarse, 4, rng=0, n_jobs=1, leaves_per_class=2)
    assert adjusted_rand_score(fine, start.labels) > 0.95
    assert "up to 3 fine ones in each; a panel, in the scale of its markers" in caplog.text


def test_so_do_genes_where_one_axis_leads(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    X, coarse, fine = intensities()
    with caplog.at_level("INFO"):
        start = consensus_start(StartInput(X, "lognorm"), coarse, 4, rng=0, n_jobs=1)
    assert adjusted_rand_score(fine, start.labels) > 0.95
    assert "panel" not in caplog.text
    monkeypatch.setattr("falcon_sc.core.start.representation.principal_axes.LEADING", np.inf)
    divided = consensus_start(StartInput(X, "lognorm"), coarse, 4, rng=0, n_jobs=1)
    assert adjusted_rand_score(fine, divided.labels) < 0.6  # what all the others do weighs more


def test_an_embedding_has_its_columns_divided_by_their_deviations_as_well() -> None:
    X, coarse, fine = intensities()
    start = consensus_start(StartInput(X, "embedding"), coarse, 4, rng=0, n_jobs=1)
    assert adjusted_rand_score(fine, start.labels) < 0.6


def test_same_seed_same_result_whatever_the_storage() -> None:
    counts, coarse, _ = simulate(1, n=200)
    first = consensus_start(StartInput(counts, "counts"), coarse, 7, rng=3, n_jobs=1, n_repeats=1)
    for matrix in (sparse.csr_matrix(counts), sparse.csc_matrix(counts)):
        again = consensus_start(StartInput(matrix, "counts"), coarse, 7, rng=3, n_jobs=1, n_repeats=1)
        np.testing.assert_array_equal(again.labels, first.labels)
        np.testing.assert_array_equal(again.latents, first.latents)


@pytest.mark.parametrize(
    ("kind", "storage", "n_fine", "leaves_per_class"),
    [
        ("counts", "csr", 7, 2),
        ("counts", "dense", N_TRUE, 1),
        ("lognorm", "rows", 7, 1),
        ("embedding", "dense", 7, 2),
    ],
)
def test_same_seed_same_result_whatever_the_processes(
    kind: Any, storage: str, n_fine: Any, leaves_per_class: int, in_workers: list[str]
) -> None:
    """Bit for bit: what a class is given, what its generator has drawn, and what is found of it go to a worker and back."""
    counts, coarse, _ = simulate(1, n=200)
    matrix: Any = counts
    if kind != "counts":
        matrix = np.log1p(1e3 * counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)
    if kind == "embedding":
        matrix = matrix[:, :20] - matrix[:, :20].mean(axis=0)
    batch = np.arange(200) % 2 if storage == "csr" else None
    if storage != "dense":
        matrix = sparse.csr_matrix(matrix)
    if storage == "rows":
        matrix = MemoryRows(matrix, matrix.shape)

    def start(n_jobs: int) -> Start:
        with warnings.catch_warnings(action="error"):
            return consensus_start(
                StartInput(matrix, kind, batch),
                coarse,
                n_fine,
                rng=3,
                n_jobs=n_jobs,
                n_repeats=1,
                max_cells=100,
                leaves_per_class=leaves_per_class,
            )

    alone = start(1)
    assert in_workers == []
    np.testing.assert_equal(_parts(start(2)), _parts(alone))
    assert {"fit_class", "label_class"} <= set(in_workers)
    assert ("paths" in in_workers) == (storage == "csr")  # there a number hangs on the path
    assert ("find_splits" in in_workers) == (leaves_per_class > 1)


def _parts(start: Start) -> dict[str, Any]:
    return vars(start) | {"tree": None if start.tree is None else vars(start.tree)}


def test_further_paths_have_a_part_in_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    n_paths: list[list[int]] = []

    def watched(curves: Any, *args: Any) -> Any:
        n_paths.append([len(own) for own in curves])
        return gains_along(curves, *args)

    monkeypatch.setattr(module, "gains_along", watched)  # the real one, and what it is given
    counts, coarse, _ = simulate(1, n=200)
    batch = np.arange(200) % 2
    start = consensus_start(
        StartInput(sparse.csr_matrix(counts), "counts", batch), coarse, 7, rng=3, n_jobs=1, n_repeats=1, max_cells=100
    )
    check(start, coarse, 7)
    assert set(n_paths[-1]) == {N_PATHS, 2 * N_PATHS}


def test_global_random_state_is_not_touched() -> None:
    counts, coarse, _ = simulate(1)
    before = np.random.get_state()  # noqa: NPY002
    consensus_start(StartInput(counts, "counts"), coarse, 4, rng=0, n_jobs=1, n_repeats=1)
    np.testing.assert_equal(np.random.get_state(), before)  # noqa: NPY002


def test_numbers_given_per_class_are_kept() -> None:
    counts, coarse, fine = simulate(2)
    start = consensus_start(StartInput(counts, "counts"), coarse, N_TRUE, rng=0, n_jobs=1)
    check(start, coarse, 6)
    np.testing.assert_array_equal(start.relation.sum(axis=0), N_TRUE)
    assert adjusted_rand_score(fine, start.labels) > 0.95


@pytest.mark.parametrize(("fixed", "expected"), [([0, 2, 0], None), ([4, 0, 0], [4, 1, 2]), ([5, 1, 1], [5, 1, 1])])
@pytest.mark.parametrize("equal_sizes", [False, True])
def test_fixed_numbers_are_kept_and_the_rest_is_shared_out(
    fixed: list[int], expected: list[int] | None, *, equal_sizes: bool
) -> None:
    counts, coarse, _ = simulate()
    start = consensus_start(
        StartInput(counts, "counts"), coarse, 7, fixed=np.array(fixed), rng=0, n_jobs=1, equal_sizes=equal_sizes
    )
    check(start, coarse, 7)
    numbers = start.relation.sum(axis=0)
    np.testing.assert_array_equal(numbers[np.array(fixed) > 0], [k for k in fixed if k])
    if expected is not None and not equal_sizes:  # the planted numbers where there is a choice
        np.testing.assert_array_equal(numbers, expected)


def test_nothing_is_left_to_share_out() -> None:
    counts, coarse, _ = simulate()
    start = consensus_start(StartInput(counts, "counts"), coarse, 5, fixed=np.array([3, 0, 0]), rng=0, n_jobs=1)
    check(start, coarse, 5)
    np.testing.assert_array_equal(start.relation.sum(axis=0), [3, 1, 1])


@pytest.mark.parametrize("n_fine", [6, N_TRUE], ids=["total", "numbers"])
def test_cells_beyond_max_cells_follow_the_models(n_fine: int | np.ndarray) -> None:
    counts, coarse, fine = simulate(3)
    start = consensus_start(StartInput(counts, "counts"), coarse, n_fine, rng=0, n_jobs=1, max_cells=100, n_repeats=2)
    check(start, coarse, 6)
    assert adjusted_rand_score(fine, start.labels) > 0.9


def test_as_many_fine_as_coarse_classes_needs_no_fit() -> None:
    coarse = np.array([0, 1, 1, 2])
    start = consensus_start(StartInput(np.full((4, 2), np.nan), "counts"), coarse, 3, rng=0)
    np.testing.assert_array_equal(start.labels, coarse)
    assert start.latents is None


@pytest.mark.parametrize("n_fine", [6, 9, 59])
def test_tiny_classes_and_one_that_dominates(n_fine: int) -> None:
    counts, _, _ = simulate(5, n=60)
    coarse = np.r_[np.zeros(53, dtype=int), 1, 2, 2, 3, 3, 3, 4]
    start = consensus_start(StartInput(counts, "counts"), coarse, n_fine, rng=0, n_jobs=1)
    check(start, coarse, n_fine)
    assert (start.relation.sum(axis=0)[[1, 2, 4]] == 1).all()  # of one or two cells


def test_identical_and_empty_cells() -> None:
    counts, coarse, _ = simulate(6, n=200)
    counts[:20] = 0
    counts[50:150] = counts[50]
    check(consensus_start(StartInput(counts, "counts"), coarse, 12, rng=0, n_jobs=1), coarse, 12)


def test_agreement_is_low_where_there_is_no_border() -> None:
    """Three clear classes, and one class cut in two."""
    counts, coarse, _ = simulate(2, g=400)
    start = consensus_start(StartInput(counts, "counts"), coarse, [3, 2, 2], rng=0, n_jobs=1)
    right = start.agreement[coarse == 0]
    assert right.mean() > 0.95
    assert start.agreement[coarse == 1].mean() < 0.8


def test_equal_sizes_share_out_by_the_sizes_of_the_coarse_classes() -> None:
    """Fine classes of forty cells in coarse classes of 160, 80 and 80, which nothing else tells apart."""
    X = np.random.default_rng(0).normal(size=(320, 8)).astype(np.float32)
    coarse = np.repeat([0, 1, 2], [160, 80, 80])
    start = consensus_start(StartInput(X, "embedding"), coarse, 8, rng=0, n_jobs=1, n_repeats=1, equal_sizes=True)
    np.testing.assert_array_equal(start.relation.sum(axis=0), [4, 2, 2])
    check(start, coarse, 8)
    given = consensus_start(
        StartInput(X, "embedding"), coarse, [2, 3, 3], rng=0, n_jobs=1, n_repeats=1, equal_sizes=True
    )
    np.testing.assert_array_equal(given.relation.sum(axis=0), [2, 3, 3])


def test_equal_sizes_of_counts() -> None:
    """Every representation that counts have takes part; 180, 90 and 30 cells."""
    counts, coarse, _ = simulate()
    start = consensus_start(StartInput(counts, "counts"), coarse, 10, rng=0, n_jobs=1, n_repeats=1, equal_sizes=True)
    np.testing.assert_array_equal(start.relation.sum(axis=0), [6, 3, 1])
    check(start, coarse, 10)
