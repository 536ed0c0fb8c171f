"""What the README calls "said in the log" can be seen."""

from __future__ import annotations

import builtins
import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest

import falcon_sc as fsc
from falcon_sc import vision
from falcon_sc._log import show_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anndata import AnnData

PACKAGE = logging.getLogger("falcon_sc")
A_MODULE = logging.getLogger("falcon_sc.some.module")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Call it to be a program that has not set up logging: pytest, which sets it up for every test, steps aside."""
    root, level = logging.getLogger(), logging.getLogger().level

    def step_aside() -> None:
        monkeypatch.setattr(root, "handlers", [])
        monkeypatch.setattr(PACKAGE, "handlers", [])

    yield step_aside
    PACKAGE.setLevel(logging.NOTSET)
    root.setLevel(level)


def test_a_name_does_not_tear_its_line(cells: AnnData, caplog) -> None:
    cells.obs["coarse"] = cells.obs["coarse"].cat.rename_categories({"B cell": "B\ncell"})
    with caplog.at_level("INFO", "falcon_sc"):
        fsc.tl.discover(cells, "coarse", {"B\ncell": 2, "CD4/CD8 T": 1, "µ glia": 1}, max_epochs=1, progress_bar=False)
        fsc.tl.refine(cells, "B\ncell", 12, progress_bar=False)
    assert [message for message in caplog.messages if "\n" in message] == []
    assert sum(r"'B\ncell'" in message for message in caplog.messages) >= 2
    assert any("CD4/CD8 T 1, µ glia 1" in message for message in caplog.messages)


def test_one_line_a_stage_is_printed(bare, cells: AnnData, quick, capsys) -> None:
    bare()
    fsc.tl.discover(cells, "coarse", 6, **quick)
    printed = capsys.readouterr()
    assert printed.out == ""  # of a script, whose output somebody may read
    stages = "adata.X: taken for raw counts", "neighbors: 20 in each of 3 coarse classes", "training: 2 epochs on cpu"
    for line in stages:
        assert printed.err.count(line) == 1, line
    fsc.tl.discover(cells, "coarse", 6, **quick)
    assert capsys.readouterr().err.count("taken for raw counts") == 1


def test_a_notebook_shows_it_without_alarm(bare, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    bare()
    monkeypatch.setattr(builtins, "__IPYTHON__", True, raising=False)
    show_log()
    A_MODULE.info("said")
    assert capsys.readouterr() == ("said\n", "")


@pytest.mark.parametrize(
    "function",
    [fsc.pp.neighbors_within, fsc.pp.select_genes, fsc.tl.discover, fsc.tl.estimate_n_fine, fsc.tl.predict],
    ids=lambda function: function.__name__,
)
def test_every_function_that_logs_shows_it(bare, function) -> None:
    bare()
    more = {"neighbors_within": ["a"], "discover": ["a", 2], "estimate_n_fine": ["a"], "predict": [None]}
    with pytest.raises(TypeError, match="adata must be an AnnData"):
        function(None, *more.get(function.__name__, []))
    assert PACKAGE.hasHandlers()


@pytest.mark.parametrize(
    "arguments", [(vision.pretrain, None), (vision.discover, None, None, 2)], ids=["pretrain", "discover"]
)
def test_so_do_those_for_images(bare, arguments) -> None:
    bare()
    function, *given = arguments
    with pytest.raises(ValueError, match="device='nowhere'"):
        function(*given, device="nowhere")
    assert PACKAGE.hasHandlers()


@pytest.mark.parametrize("level", ["WARNING", "ERROR"])
def test_a_level_that_was_set_is_kept(bare, level: str, capsys) -> None:
    bare()
    PACKAGE.setLevel(level)
    show_log()
    A_MODULE.info("not asked for")
    A_MODULE.warning("serious")
    assert capsys.readouterr().err == ("serious\n" if level == "WARNING" else "")


@pytest.mark.parametrize("order", ["before", "after"])
def test_a_program_that_sets_up_logging_gets_each_line_once_and_in_its_own_way(bare, order: str, capsys) -> None:
    bare()
    if order == "after":
        show_log()
    logging.basicConfig(level="INFO", format="mine: %(message)s")
    show_log()
    A_MODULE.info("said")
    assert capsys.readouterr().err == "mine: said\n"


def test_a_program_that_wants_warnings_only_gets_no_more(bare, capsys) -> None:
    bare()
    logging.basicConfig(level="WARNING")
    show_log()
    A_MODULE.info("not asked for")
    assert capsys.readouterr().err == ""


def test_only_the_leading_process_prints(bare, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    bare()
    monkeypatch.setenv("RANK", "1")
    show_log()
    A_MODULE.info("said eight times")
    assert capsys.readouterr().err == ""


def test_numbers_have_the_names_of_their_classes(cells: AnnData, caplog) -> None:
    caplog.set_level("INFO", "falcon_sc")
    fsc.tl.discover(cells, "coarse", {"B cell": 1, "CD4/CD8 T": 2, "µ glia": 2}, max_epochs=1, progress_bar=False)
    assert "start: fine classes in each coarse class: B cell 1, CD4/CD8 T 2, µ glia 2" in caplog.text


def test_classes_that_training_left_empty_are_a_warning(cells: AnnData, quick, caplog, monkeypatch) -> None:
    from falcon_sc.core.fitting import outcome

    revive = outcome._revive

    def without_two(fitted, *given, found, wanted):
        """As if the training had left two empty: a mock, because which ones it leaves hangs on the machine."""
        seen = np.flatnonzero(~np.isin(fitted.classes.members, [1, 2]))
        return revive(fitted, *given, found=seen, wanted=wanted)

    monkeypatch.setattr(outcome, "_revive", without_two)
    fsc.tl.discover(cells, "coarse", {"B cell": 2, "CD4/CD8 T": 2, "µ glia": 2}, max_epochs=1, progress_bar=False)
    (left,) = [record for record in caplog.records if "training left" in record.getMessage()]
    assert left.levelname == "WARNING"
    assert left.getMessage().endswith("of each coarse class: B cell 1, CD4/CD8 T 1")
    caplog.clear()
    monkeypatch.undo()
    fsc.tl.discover(cells, "coarse", 9, **quick)
    (left,) = [record.getMessage() for record in caplog.records if "have no sample" in record.getMessage()]
    empty = set(cells.uns["falcon"]["fine_names"]) - set(cells.obs["falcon_fine"])
    assert all(repr(str(name)) in left for name in empty)
