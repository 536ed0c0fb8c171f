"""Names on the command line, of methods, data sets and classes; some hold a comma."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from falcon_sc._cli import main
from falcon_sc._cli.bench import words
from falcon_sc.benchmarks._asked import chosen, methods_of
from falcon_sc.benchmarks.cells._data import named
from falcon_sc.benchmarks.cells._methods import METHODS as OF_CELLS
from falcon_sc.benchmarks.images._fine_tuned import FINE_TUNED
from falcon_sc.benchmarks.images._frozen_methods import METHODS as OF_FEATURES
from falcon_sc.benchmarks.images._methods import METHODS as OF_IMAGES
from falcon_sc.benchmarks.paper._on_cells import SYSTEMS as OF_AN_ATLAS
from falcon_sc.benchmarks.paper._on_images import SYSTEMS as OF_THE_PAPER
from falcon_sc.benchmarks.paper.ablation import TABLES

if TYPE_CHECKING:
    from pathlib import Path

KNOWN = {
    "cells": OF_CELLS, "images": OF_IMAGES, "features": OF_FEATURES, "fine_tuning": FINE_TUNED,
    "pbmc": OF_AN_ATLAS, "paper": OF_THE_PAPER, "ablation": TABLES,
}  # fmt: skip


@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)
@pytest.mark.parametrize("between", [",", ", "])
def test_every_name_can_be_given_on_the_command_line(known: dict[str, object], between: str) -> None:
    assert chosen(words(between.join(known)), known, "names") == tuple(known)
    for name in known:
        assert chosen(words(name.replace(", ", between)), known, "names") == (name,)


@pytest.mark.parametrize(
    ("command", "methods"),
    [
        (["images"], "FALCON, published settings,falcon_sc"),
        (["images", "--features", "{folder}/gone.npz"], "FALCON (text), random start,falcon_sc"),
        (["cells", "--only", "gone"], "K-Means, scaled genes,FALCON, as published"),
    ],
)
def test_a_run_is_asked_for_by_names_with_commas(command: list[str], methods: str, tmp_path: Path, capsys) -> None:
    """It gets as far as the data, which are not there."""
    command = [part.format(folder=tmp_path) for part in command]
    assert main(["bench", *command, "--methods", methods, "--seeds", "1", "--data", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "gone" in error or "cifar100_part0.npz" in error
    assert "not among" not in error


def test_the_longest_name_is_meant() -> None:
    known = ["A", "B", "A, B", "C"]
    assert chosen(words("A,B,C,A"), known, "names") == ("A, B", "C", "A")
    assert chosen(["B", "A"], known, "names") == ("B", "A")
    assert chosen(["A, B"], known, "names") == ("A, B",)


def test_files_with_a_comma(tmp_path: Path) -> None:
    for name in ("mouse, adult.h5ad", "human.h5ad"):
        (tmp_path / name).touch()
    assert named(tmp_path, words("mouse, adult,human")) == [tmp_path / "mouse, adult.h5ad", tmp_path / "human.h5ad"]
    with pytest.raises(FileNotFoundError, match=r"no file 'adult.h5ad', found \['human', 'mouse, adult'\]"):
        named(tmp_path, ["adult"])


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"methods: \['Z', 'scaled genes'\] are not among \['K-Means', 'Leiden'\]"):
        methods_of(words("K-Means, scaled genes, Z"), ["K-Means", "Leiden"])
    with pytest.raises(ValueError, match=r"methods: none is given, there are \['A'\]"):
        methods_of([], ["A"])


@pytest.mark.skipif(find_spec("scvi") is not None, reason="scVI is installed")
def test_packages_that_lack_are_named_first() -> None:
    with pytest.raises(ImportError, match=r"methods: scVI \+ Leiden needs"):
        methods_of(["scVI + Leiden"], OF_CELLS)
