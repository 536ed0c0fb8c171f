from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from falcon_sc.core.start.coarse_classes import CoarseClasses
from falcon_sc.core.start.input import StartInput
from falcon_sc.core.start.progress import FitsBar
from falcon_sc.core.start.workers import Workers

COARSE = np.repeat(np.arange(4), [10, 40, 20, 30])


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_no_more_classes_at_once_than_jobs_and_each_gets_its_own_result(n_jobs: int) -> None:
    classes = CoarseClasses(StartInput(np.zeros((100, 2)), "embedding"), COARSE)
    lock = threading.Lock()
    all_at_work = threading.Barrier(n_jobs, timeout=30)  # breaks where fewer run at once
    running: list[int] = []
    at_once: list[int] = []
    begun: list[int] = []

    def task(c: int) -> int:
        with lock:
            running.append(c)
            begun.append(c)
            at_once.append(len(running))
        all_at_work.wait()
        time.sleep(0.01)
        with lock:
            running.remove(c)
        return 10 * c

    stage = FitsBar(np.zeros(4), shown=False).stages[0]
    with Workers(n_jobs - 1) as workers:
        assert classes.each(task, workers=workers, stage=stage) == [0, 10, 20, 30]
    assert max(at_once) == n_jobs
    if n_jobs == 1:
        assert begun == [1, 3, 2, 0]  # large ones first


@pytest.mark.parametrize(
    ("kind", "counted"),
    [("lognorm", False), ("lognorm", True), ("counts", True), ("panel", False), ("embedding", False)],
)
def test_counts_are_there_or_recovered(kind: Any, *, counted: bool) -> None:
    rng = np.random.default_rng(0)
    matrix = rng.poisson(2, (100, 100)) + 1.0 if counted else rng.gamma(1, 2, (100, 100))
    if kind == "lognorm" and counted:
        matrix = np.log1p(1e4 * matrix / matrix.sum(axis=1, keepdims=True))
    classes = CoarseClasses(StartInput(sparse.csr_matrix(matrix), kind), COARSE)
    assert classes.given(1)["kind"] == classes.kind == kind
    assert classes.has_counts is counted


def test_cells_and_donors_of_a_class() -> None:
    matrix = np.arange(200.0).reshape(100, 2)
    donors = np.arange(100) % 3
    classes = CoarseClasses(StartInput(matrix, "embedding", donors), COARSE)
    given = classes.given(2)
    np.testing.assert_array_equal(given["rows"], matrix[50:70])
    np.testing.assert_array_equal(given["batch"], donors[50:70])
    np.testing.assert_array_equal(classes.sizes, [10, 40, 20, 30])


class SlowRows:
    """Rows on disk: how often each is read is counted, which no real store says."""

    slow = True

    def __init__(self, matrix: np.ndarray) -> None:
        self.matrix = matrix
        self.read = np.zeros(len(matrix), dtype=int)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        self.read[rows] += 1
        return self.matrix[rows]


def test_rows_that_are_slow_to_read_are_read_once_for_the_fit_and_the_evidence() -> None:
    counts = np.random.default_rng(0).poisson(1.0, (100, 4)).astype(np.float32)
    rows = SlowRows(counts)
    classes = CoarseClasses(StartInput(rows, "counts"), COARSE)
    classes.around = lambda c: None  # background cells are read for every class
    cells = np.array([1, 5, 19])
    classes.given(2, cells)
    found = classes.molecules(2, cells)
    np.testing.assert_array_equal(found.counts.toarray(), counts[50:70][cells])
    np.testing.assert_array_equal(rows.read, np.isin(np.arange(100), np.arange(50, 70)))
    np.testing.assert_array_equal(
        classes.molecules(2, cells).counts.toarray(), counts[50:70][cells]
    )  # as after an interrupt
    assert rows.read.sum() == 23
