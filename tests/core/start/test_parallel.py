from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from falcon_sc.core.start.parallel import in_threads, n_threads, stop_if_unwanted

# One class works for ever in each of the four loops in which the start spends its time.
FOR_EVER = """
import signal, threading
import numpy as np
from falcon_sc.core.start.coarse_classes import CoarseClasses
from falcon_sc.core.start.input import StartInput
from falcon_sc.core.start.progress import FitsBar
from falcon_sc.core.start.mixtures.em import expectation_maximization
from falcon_sc.core.start.mixtures.kmeans import kmeans_labels
from falcon_sc.core.start.mixtures.merging import merge_down
from falcon_sc.core.start.mixtures.tied import TiedSteps
from falcon_sc.core.start.representation.class_representations import class_representations
from falcon_sc.core.start.workers import Workers

# a shell starts jobs in the background with Ctrl-C ignored, and pytest may be one of them
signal.signal(signal.SIGINT, signal.default_int_handler)
X = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
loops = [
    kmeans_labels, lambda X, k, rng: merge_down(X, [k], rng),
    lambda X, k, rng: expectation_maximization(TiedSteps(X), rng.dirichlet(np.ones(k), 300).T[None].astype(X.dtype)),
    lambda X, k, rng: class_representations(X[0], "embedding", rng),
]
begun = threading.Barrier(4)

def task(c):
    begun.wait()
    if c == 0:
        print("begun", flush=True)
    while True:
        loops[c](X[None], 5, np.random.default_rng(0))

classes = CoarseClasses(StartInput(X, "embedding", None), np.arange(300) % 4)
try:
    with Workers(3) as workers:
        classes.each(task, workers=workers, stage=FitsBar(np.zeros(4), shown=False).stages[0])
except KeyboardInterrupt:
    others = [t for t in threading.enumerate() if t is not threading.main_thread() and t.name != "tqdm_monitor"]
    for thread in others:  # one that the interrupt met while it was being started is not waited for, and ends as well
        thread.join(10)
    print("threads left:", [thread.name for thread in others if thread.is_alive()], flush=True)
"""


def test_no_thread_goes_on_after_an_interrupt() -> None:
    """Ctrl-C in a real process, one thread in each loop (joblib's threads go on: joblib#1304)."""
    running = subprocess.Popen([sys.executable, "-c", FOR_EVER], stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout.readline() == "begun\n"
        running.send_signal(signal.SIGINT)
        said, _ = running.communicate(timeout=60)
    finally:
        running.kill()
    assert said == "threads left: []\n"


@pytest.mark.parametrize("n", [1, 2, 9])
def test_results_come_in_order(n: int) -> None:
    assert in_threads(lambda i: i * i, range(5), n, progress=lambda: None) == [0, 1, 4, 9, 16]


def test_progress_is_looked_at_while_an_item_is_worked_on() -> None:
    looked_at = threading.Event()
    waited = in_threads(lambda _: looked_at.wait(60), range(2), 2, progress=looked_at.set)  # else it never ends
    assert waited == [True, True]


def test_an_error_ends_the_other_threads_and_what_has_not_begun() -> None:
    begun: list[int] = []

    def task(i: int) -> None:
        begun.append(i)
        if i == 0:
            msg = "no"
            raise ValueError(msg)
        while True:
            stop_if_unwanted()

    before = threading.active_count()
    with pytest.raises(ValueError, match=r"^no$"):
        in_threads(task, range(6), 2, progress=lambda: None)
    assert threading.active_count() == before
    assert 0 in begun
    assert 5 not in begun


def test_nothing_stops_outside_of_threads_or_in_those_of_others() -> None:
    stop_if_unwanted()

    def fails(_: int) -> None:
        msg = "no"
        raise ValueError(msg)

    def calls_a_run_that_fails(_: int) -> str:
        with pytest.raises(ValueError, match="no"):
            in_threads(fails, range(3), 2, progress=lambda: None)
        stop_if_unwanted()
        return "goes on"

    assert in_threads(calls_a_run_that_fails, range(2), 2, progress=lambda: None) == ["goes on"] * 2


def test_number_of_threads() -> None:
    from joblib import cpu_count

    assert [n_threads(n_jobs) for n_jobs in (1, 7, -1, None)] == [1, 7, cpu_count(), cpu_count()]
    for n_jobs in (0, -2):
        with pytest.raises(ValueError, match=f"n_jobs={n_jobs} leaves no core"):
            n_threads(n_jobs)
    for wrong in (1.5, "2", True):
        with pytest.raises(TypeError, match="n_jobs must be an int, found"):
            n_threads(wrong)
