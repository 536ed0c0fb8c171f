from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.core.start.test_consensus_start import simulate
from tqdm.notebook import tqdm_notebook

from falcon_sc.core.start import progress
from falcon_sc.core.start.coarse_classes import CoarseClasses
from falcon_sc.core.start.consensus_start import consensus_start
from falcon_sc.core.start.estimation import estimate_numbers
from falcon_sc.core.start.input import StartInput
from falcon_sc.core.start.progress import FitsBar, fits_done
from falcon_sc.core.start.representation.class_representations import class_representations
from falcon_sc.core.start.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable


def _classes(n: int) -> CoarseClasses:
    return CoarseClasses(StartInput(np.zeros((2 * n, 2)), "embedding"), np.repeat(np.arange(n), 2))


def _makes(n_fits: list[int]) -> Callable[[int], None]:
    def task(c: int) -> None:
        for _ in range(n_fits[c] // 2):
            fits_done()
        fits_done(n_fits[c] - n_fits[c] // 2)

    return task


def test_a_fit_outside_of_any_run_is_not_counted() -> None:
    fits_done()
    bar = FitsBar([1.0], shown=False)
    fits_done()
    assert bar.stages[0].made.tolist() == [0]


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_every_fit_is_counted_for_its_class(n_jobs: int) -> None:
    with FitsBar([1, 1, 1], shown=False) as bar, Workers(n_jobs - 1) as workers:
        _classes(3).each(_makes([100, 0, 2000]), workers=workers, stage=bar.stages[0])
    assert bar.stages[0].made.tolist() == [100, 0, 2000]
    assert bar.total == 2100


def test_the_total_is_corrected_by_the_classes_that_are_done() -> None:
    bar = FitsBar([10, 20, 0], [5, 5, 5], shown=False)
    first, _ = bar.stages
    assert bar.total == 30 + 15
    first.counted(_makes([20, 0, 0]))(0)  # twice as many as expected
    assert bar.total == 20 + 40 + 15
    first.counted(_makes([0, 0, 7]))(2)
    first.counted(_makes([0, 30, 0]))(1)
    assert bar.total == 57 + 15


def test_a_class_that_takes_more_than_expected_never_passes_the_total() -> None:
    bar = FitsBar([3], shown=False)
    seen: list[int] = []

    def task(c: int) -> None:
        for _ in range(5):
            fits_done()
            seen.append(bar.total)

    bar.stages[0].counted(task)(0)
    assert seen == [3, 3, 3, 4, 5]


def test_an_error_leaves_no_count_behind() -> None:
    bar = FitsBar([1], shown=False)
    with pytest.raises(IndexError):
        bar.stages[0].counted(lambda c: [][c])(0)
    fits_done()
    assert bar.stages[0].made.tolist() == [0]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_bar_moves_with_the_fits_of_a_class_and_is_drawn_by_one_thread(
    n_jobs: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stood at 0 of 7 classes for minutes; and a notebook shows in its place what its own thread prints."""
    moved = threading.Event()
    drawn_by: set[int] = set()

    def task(c: int) -> bool:
        fits_done()
        return moved.wait(60)  # for the bar, while the class is not done

    with FitsBar([2.0], shown=True) as bar, Workers(n_jobs - 1) as workers:
        update = bar._bar.update

        def noted(n: int) -> None:
            update(n)
            drawn_by.add(threading.get_ident())
            if bar._bar.n:
                moved.set()

        bar._bar.update = noted
        assert _classes(1).each(task, workers=workers, stage=bar.stages[0]) == [True]
    assert drawn_by == {threading.get_ident()}
    assert "100%" in capsys.readouterr().err


def test_the_bar_is_drawn_some_times_a_second_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is a made one: how fast the machine is does not matter."""
    ticks = iter(range(10_000))
    # every fourth fit is a tenth of a second later
    monkeypatch.setattr(progress, "monotonic", lambda: next(ticks) / 32)
    with FitsBar([1000], shown=True) as bar:
        drawn: list[int] = []
        update = bar._bar.update
        monkeypatch.setattr(bar._bar, "update", lambda n: (drawn.append(n), update(n)))

        def task(_: int) -> None:
            for _ in range(1000):
                fits_done()

        bar.stages[0].counted(task)(0)
        assert len(drawn) == 250
    assert sum(drawn) == bar._bar.n == 1000


def test_nothing_is_printed_unless_it_is_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    with FitsBar([1], shown=False) as bar, Workers(1) as workers:
        _classes(1).each(_makes([3]), workers=workers, stage=bar.stages[0])
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


def test_the_widget_of_a_notebook_takes_the_corrected_total(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ipywidgets")

    def widget(*, shown: bool, **options: Any) -> tqdm_notebook:
        assert shown
        return tqdm_notebook(display=False, **options)

    monkeypatch.setattr("falcon_sc.core.start.bars.Bar", widget)  # tests do not run in a notebook
    with FitsBar([10], shown=True) as bar:
        bar.stages[0].counted(_makes([30]))(0)
    assert bar._bar.container.children[1].max == 30
    assert bar._bar.container.children[1].value == 30


@pytest.mark.parametrize("kind", ["counts", "embedding"])
def test_what_is_expected_of_the_start_is_about_what_it_makes(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar that stands at 40 % when all is done, or at 99 % for most of the time, tells nothing."""
    counts, coarse, _ = simulate()
    matrix = counts if kind == "counts" else counts[:, :20] - counts[:, :20].mean(axis=0)
    bars: list[FitsBar] = []
    expected: list[int] = []

    def noted(self: FitsBar) -> FitsBar:
        bars.append(self)
        expected.append(self.total)
        return enter(self)

    enter = FitsBar.__enter__
    monkeypatch.setattr(FitsBar, "__enter__", noted)
    consensus_start(StartInput(matrix, kind), coarse, 9, rng=0, n_jobs=1)
    estimate_numbers(StartInput(matrix, kind), coarse, rng=0, n_jobs=1)
    made = [sum(int(stage.made.sum()) for stage in bar.stages) for bar in bars]
    assert [bar.total for bar in bars] == made
    for before, after in zip(expected, made, strict=True):
        assert 0.5 < after / before < 2


def test_the_bar_moves_while_the_cells_of_a_large_class_are_projected() -> None:
    X = np.random.default_rng(0).normal(size=(20_000, 4)).astype(np.float32)
    stage = FitsBar([1.0], shown=False).stages[0]
    stage.counted(lambda _: class_representations(X, "embedding", np.random.default_rng(0), max_cells=100))(0)
    assert stage.made[0] == 5  # blocks of 4,096 cells
