"""The README is code: its quickstart runs, and what it says is written is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import falcon_sc as fsc
from tests.snippets import run

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """Text of one second-level section."""
    return re.split(r"^## ", README.split(f"\n## {title}\n")[1], flags=re.MULTILINE)[0]


def slots() -> list[str]:
    """First column of the table of what is written: expressions such as `obs["falcon_fine"]`."""
    return re.findall(r"^\| `(.+?)` \|", section("What is written"), flags=re.MULTILINE)


@pytest.fixture(scope="module")
def adata():
    """The object that the quickstart leaves behind, run as a user would run it, without a window."""
    (code,) = re.findall(r"```python\n(.*?)```", section("Quickstart"), flags=re.DOTALL)
    return run([code], "README.md")["adata"]


def test_the_table_of_slots_is_found():
    assert len(slots()) == 10


@pytest.mark.parametrize("slot", slots())
def test_documented_slot_is_written(slot, adata):
    attribute, key = re.fullmatch(r'(\w+)\["(.+)"\]', slot).groups()
    assert key in getattr(adata, attribute)


def test_fine_types_are_named_after_their_coarse_type(adata):
    fine = adata.obs["falcon_fine"]
    assert fine.cat.categories.size == 10
    assert (fine.astype(str).str.rsplit(":", n=1).str[0] == adata.obs["coarse"].astype(str)).all()


def test_what_comes_then_runs_as_well(adata, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", section("And then"), flags=re.DOTALL)
    variables = run([code], "README.md", {"fsc": fsc, "adata": adata.copy()})
    fine = variables["adata"].obs["falcon_fine"]
    assert {"B", "cytotoxic T"} <= set(fine)
    assert fine[adata.obs["coarse"] == "T cell"].nunique() == 3
    assert set(variables["table"]["against"]) == {"siblings", "all"}
    assert (tmp_path / "report.html").stat().st_size


def test_a_third_type_of_t_cells_is_supported_and_not_made(adata):
    about = adata.uns["falcon"]
    tree = about["tree"]
    of_t_cells = tree["coarse"] == list(about["coarse_names"]).index("T cell")
    third = of_t_cells & (tree["opens_at"] == 3)
    assert tree["supported"][third].tolist() == [True]
    assert adata.obs.loc[adata.obs["coarse"] == "T cell", "falcon_fine"].nunique() == 2


@pytest.mark.parametrize("command", ["uv run falcon-sc demo", "uv run pytest"])
def test_the_two_commands_are_those_of_ci(command):
    assert command in section("Start")
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
