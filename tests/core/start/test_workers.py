from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from falcon_sc.core.start.progress import counting_fits, fits_done
from falcon_sc.core.start.workers import CELLS_EACH, Workers, workers_for

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module", autouse=True)
def functions_of_this_file_are_found() -> Iterator[None]:
    """A process gets the path of this one, which has the tests only if pytest was begun as `python -m pytest`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT)
        yield


@pytest.fixture(scope="module")
def worker(functions_of_this_file_are_found: None) -> Iterator[Workers]:
    """One, for tests that leave it as it is."""
    with Workers(1) as workers:
        yield workers


def draw(n: int, rng: np.random.Generator) -> tuple[int, np.ndarray]:
    """Where it runs, and some numbers. Like all tasks here it can be found by its name, also in another process."""
    return os.getpid(), rng.integers(100, size=n, dtype=np.int32)


def test_a_generator_goes_on_where_a_worker_left_it(worker: Workers) -> None:
    here, there = np.random.default_rng(0), np.random.default_rng(0)
    for n in (3, 4):  # an odd number of small ones leaves half of a number behind
        where, numbers = worker.run(draw, lambda n=n: {"n": n}, there)
        assert where != os.getpid()
        np.testing.assert_array_equal(numbers, draw(n, here)[1])


def noisy(rng: np.random.Generator) -> None:
    sys.stdout.write("this is no answer\n")
    sys.stdout.flush()
    os.write(1, b"nor is this\n")
    for n in (1, 5):
        fits_done(n)


def test_fits_are_counted_here_and_what_is_printed_there_disturbs_nothing(worker: Workers) -> None:
    counts: list[int] = []
    with counting_fits(counts.append):
        worker.run(noisy, dict, np.random.default_rng(0))
    assert counts == [1, 5]


class OddError(Exception):
    """Cannot be sent: it is made from two arguments, and says that it was from one."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


def fails(odd: bool, rng: np.random.Generator) -> None:
    raise OddError("no", "!") if odd else KeyError("no")


def test_an_error_is_raised_as_it_is() -> None:
    with Workers(1) as workers, pytest.raises(KeyError, match="no") as caught:
        workers.run(fails, lambda: {"odd": False}, np.random.default_rng(0))
    assert "in fails" in caught.value.__notes__[0]  # where it was raised
    with Workers(1) as workers, pytest.raises(RuntimeError, match=r"OddError: no!"):
        workers.run(fails, lambda: {"odd": True}, np.random.default_rng(0))


def loaded(rng: np.random.Generator) -> list[str]:
    return sorted({"torch", "scanpy", "anndata", "numba", "matplotlib", "sklearn", "gurobipy"} & set(sys.modules))


def test_a_worker_loads_little(worker: Workers) -> None:
    """It takes .4 s and 65 MB; with torch it would take several times as much."""
    assert worker.run(loaded, dict, np.random.default_rng(0)) == []


def blas_threads(rng: np.random.Generator) -> list[int]:
    from threadpoolctl import threadpool_info

    _ = np.ones((9, 9)) @ np.ones((9, 9))
    return [pool["num_threads"] for pool in threadpool_info()]


def test_a_worker_computes_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    with Workers(1) as workers:
        assert set(workers.run(blas_threads, dict, np.random.default_rng(0))) == {1}


def counts_fits(matrix: np.ndarray, rng: np.random.Generator) -> float:
    fits_done()
    return float(matrix.sum())


def test_what_a_worker_was_given_is_not_kept_here(worker: Workers) -> None:
    given: list[weakref.ref[np.ndarray]] = []
    gone: list[bool] = []

    def give() -> dict[str, Any]:
        matrix = np.ones((1000, 1000))
        given.append(weakref.ref(matrix))
        return {"matrix": matrix}

    with counting_fits(lambda _: gone.append(given[0]() is None)):
        assert worker.run(counts_fits, give, np.random.default_rng(0)) == 1e6
    assert gone == [True]


def dies_elsewhere(home: int, rng: np.random.Generator) -> float:
    drawn = rng.random()
    if os.getpid() != home:
        os.kill(os.getpid(), signal.SIGKILL)
    return drawn


def test_the_work_of_a_worker_that_is_lost_is_done_here(caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng(0)
    with Workers(2) as workers:
        drawn = [workers.run(dies_elsewhere, lambda: {"home": os.getpid()}, rng) for _ in range(3)]
    assert drawn == np.random.default_rng(0).random(3).tolist()
    assert [record.getMessage() for record in caplog.records] == [
        f"start: a process beside this one was ended by signal {int(signal.SIGKILL)}: this one does its work"
    ]  # said once


@pytest.mark.parametrize("python", ["/nowhere/python", "/bin/false"])
def test_without_processes_it_is_one_thread_and_a_line_in_the_log(
    python: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One that cannot be started, and one that is no Python."""
    monkeypatch.setattr(multiprocessing.spawn, "_python_exe", multiprocessing.spawn.get_executable())  # put back
    multiprocessing.set_executable(python)
    with caplog.at_level("INFO", "falcon_sc"), Workers(2) as workers:
        drawn = [workers.run(draw, lambda: {"n": 1}, np.random.default_rng(0))[0] for _ in range(3)]
    assert drawn == [os.getpid()] * 3
    assert len(caplog.records) == 1
    assert "process" in caplog.text
    assert "beside this one" in caplog.text


def test_a_program_that_holds_python_is_not_started_again(monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    """PyInstaller makes such: started again, it would run what it does."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with caplog.at_level("INFO", "falcon_sc"), Workers(1) as workers:
        assert workers.n_threads == 1
    assert "this program has no Python of its own" in caplog.text


@pytest.mark.parametrize(
    ("n_cells", "n_classes", "n_jobs", "n"),
    [
        (2 * CELLS_EACH - 1, 9, None, 1),  # not worth a process
        (2 * CELLS_EACH, 9, None, 2),
        (2 * CELLS_EACH, 9, 3, 2),
        (9 * CELLS_EACH, 9, None, 3),  # the cores
        (9 * CELLS_EACH, 9, 2, 2),
        (9 * CELLS_EACH, 9, 1, 1),
        (9 * CELLS_EACH, 2, -1, 2),
        (0, 0, None, 0),
    ],
)
def test_processes_are_as_many_as_the_cells_are_worth(
    n_cells: int, n_classes: int, n_jobs: int | None, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("joblib.cpu_count", lambda: 3)  # whatever machine this is
    monkeypatch.setattr("falcon_sc.core.start.workers._Worker", _Started)
    assert workers_for(n_cells, n_classes, n_jobs).n_threads == max(n, 1)


class _Started:
    """Instead of a process, which nothing is sent to here."""


POOL = """
import multiprocessing
from falcon_sc.core.start.workers import CELLS_EACH, workers_for

def numbers(_):
    found = []
    for n_jobs in (None, 2):
        with workers_for(9 * CELLS_EACH, 9, n_jobs) as workers:
            found.append(workers.n_threads)
    return found

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(numbers, [0]))
"""


def test_a_process_of_a_pool_takes_one_core_unless_it_is_given_more(tmp_path: Path) -> None:
    """Such processes are daemons, which may have no children of multiprocessing."""
    script = tmp_path / "pool.py"
    script.write_text(POOL)
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=True)
    assert ran.stdout.split() == ["[[1,", "2]]"]


def for_ever(rng: np.random.Generator) -> None:
    fits_done()
    while True:  # and never asks whether it is wanted
        pass


RUN = """
import signal, sys, time
import numpy as np
from tests.core.start.test_workers import for_ever
from falcon_sc.core.start.coarse_classes import CoarseClasses
from falcon_sc.core.start.input import StartInput
from falcon_sc.core.start.progress import FitsBar
from falcon_sc.core.start.workers import Workers

# a shell starts jobs in the background with Ctrl-C ignored, and pytest may be one of them
signal.signal(signal.SIGINT, signal.default_int_handler)
stage, said = FitsBar(np.zeros(2), shown=False).stages[0], []

def draw():
    if not said and (stage.made.all() or sys.argv[1] == "at once"):
        said.append(True)
        print("begun", flush=True)

stage.draw = draw
classes = CoarseClasses(StartInput(np.zeros((4, 2), np.float32), "embedding"), np.array([0, 0, 1, 1]))
try:
    with Workers(2) as workers:
        draw()
        classes.each(lambda c: workers.run(for_ever, dict, np.random.default_rng(c)), workers=workers, stage=stage)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("begun", ["at once", "when both compute"])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_an_interrupt_or_the_process_that_started_it(sent: signal.Signals, begun: str) -> None:
    """Two real ones that compute for ever, or are just being started. They hold the stderr that is read here: it ends with the last of them."""
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    running = subprocess.Popen(
        [sys.executable, "-c", RUN, begun],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
        process_group=0,
    )
    try:
        assert running.stdout is not None
        assert running.stdout.readline() == "begun\n"
        os.killpg(running.pid, sent)  # as a terminal does
        said, errors = running.communicate(timeout=60)
    finally:
        running.kill()
    assert (said, errors) == ("interrupted\n" if sent == signal.SIGINT else "", "")
