from __future__ import annotations

import re
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, NamedTuple

import anndata
import pytest

from falcon_sc import _demo
from falcon_sc._cli import main
from falcon_sc.pl._splits import Node, Split

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


class Run(NamedTuple):
    """What the demo printed, and where it wrote."""

    text: str
    folder: Path


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("demo")
    with redirect_stdout(StringIO()) as printed:  # capsys lives for one test only
        assert main(["demo", "-o", str(folder)]) == 0
    return Run(printed.getvalue(), folder)


@pytest.fixture(scope="module")
def cells(ran: Run) -> AnnData:
    return anndata.read_h5ad(ran.folder / _demo.CELLS)


def test_writes_cells_picture_and_report(ran: Run):
    assert {path.name for path in ran.folder.iterdir()} == set(_demo.FILES)
    assert all((ran.folder / name).stat().st_size > 10_000 for name in _demo.FILES)


def test_prints_the_splits_of_one_coarse_class_with_their_evidence(ran: Run, cells: AnnData):
    told = re.search(r"That of (.+):", ran.text)[1]
    tree = cells.uns["falcon"]["tree"]
    of_told = tree["coarse"] == list(cells.uns["falcon"]["coarse_names"]).index(told)
    rows = re.findall(r"^ +(\d+) \| (\d+) +(\S+) +(\S+) +\S+ +(yes|no) +(?:yes|no)$", ran.text, flags=re.MULTILINE)
    named = ("n_left", "n_right", "comes_back", "agreement", "supported")
    expected = zip(*(tree[name][of_told] for name in named), strict=True)
    assert sorted(rows) == sorted(
        (str(left), str(right), f"{back:.2f}", f"{agree:.2f}", "yes" if good else "no")
        for left, right, back, agree, good in expected
    )


def test_the_decision_is_that_of_the_evidence(ran: Run, cells: AnnData):
    assert "tl.cut(adata, n_fine='auto')" in ran.text
    kinds = cells.uns["falcon"]["decisions"]["kind"]
    assert list(dict.fromkeys(kinds)) == ["cut", "rename"]
    n_types = int(re.search(r"^The (\d+) types", ran.text, flags=re.MULTILINE)[1])
    assert n_types == cells.obs["falcon_fine"].nunique()


def test_every_type_has_a_name_and_a_line(ran: Run, cells: AnnData):
    for name, rows in cells.obs.groupby("falcon_fine", observed=True):
        coarse = rows["coarse"].iloc[0]
        assert name == coarse or re.fullmatch(rf"{coarse} \S+\+", name)
        assert re.search(rf"^  {re.escape(name)} +{len(rows)} ", ran.text, flags=re.MULTILINE)


def tree_of(*supported: bool) -> Node:
    """A chain of splits, nothing known about them but whether they are supported."""
    node = Node(("T:0",))
    for n, good in enumerate(reversed(supported)):
        split = Split((node, Node((f"T:{n + 1}",))), (90 - 10 * n, 10), len(supported) - n + 1, good, {})
        node = Node((*node.classes, f"T:{n + 1}"), split)
    return node


def test_the_coarse_class_about_which_the_evidence_says_most_is_told():
    trees = {"A": tree_of(True), "B": tree_of(True, True, False), "C": tree_of(True)}
    assert _demo._telling(trees, {"A": 2, "B": 3, "C": 2}, {"A": 2, "B": 3, "C": 1}) == "C"
    assert _demo._telling(trees, {"A": 2, "B": 3, "C": 2}, {"A": 2, "B": 3, "C": 2}) == "B"


def test_evidence_that_could_not_be_had_is_a_dash():
    assert re.search(r"^  90 \| 10 +- +- +- +yes +yes$", _demo._tree_in_words(tree_of(True)), flags=re.MULTILINE)


def test_where_the_evidence_changes_nothing_that_is_said():
    assert _demo._decision("T", {"T": 3}, {"T": 3}, 0.1).endswith("the types stay.")
