"""Tutorials are stored with their outputs: run from top to bottom, without an error, small, and of no one machine."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from tests.snippets import run

TUTORIALS = sorted((Path(__file__).parents[1] / "tutorials").glob("*.ipynb"))
LARGEST = 2**20  # bytes


def test_there_is_a_tutorial():
    assert TUTORIALS


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_tutorial_is_stored_as_it_ran(path):
    text = path.read_text(encoding="utf-8")
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell["outputs"] if output["output_type"] == "error"]
    assert "site-packages" not in text
    assert len(text) < LARGEST


def test_the_tutorial_on_cells_runs_with_the_present_code(tmp_path, monkeypatch):
    """Names of classes hang on the tree that is found: a stored tutorial may name some that are not there any more."""
    (path,) = [path for path in TUTORIALS if path.stem == "coarse_to_fine"]
    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    variables = run(["".join(cell["source"]) for cell in cells], str(path))
    fine = set(variables["adata"].obs["falcon_fine"])
    assert {"plasmablast", "cytotoxic T", "NK"} <= fine
    assert set(variables["new"].obs["falcon_fine"]) <= fine
