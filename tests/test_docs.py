"""Every public name is on the API page, and the API page names nothing else."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

API = (Path(__file__).parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
NAMESPACES = ("pp", "tl", "pl", "metrics", "baselines", "datasets", "vision", "vision.datasets")


def documented() -> set[str]:
    """Entries of the autosummary blocks, and data that stand by themselves."""
    blocks = re.findall(r"\.\. autosummary::\n    :toctree: generated\n\n((?:    \S+\n)+)", API)
    return {name for block in blocks for name in block.split()} | set(re.findall(r"py:data:: falcon_sc\.(\S+)", API))


def is_piece(name: str) -> bool:
    """Whether a name is of a module that is no namespace, and so none that the page has to list."""
    return "." in name and name.rpartition(".")[0] not in NAMESPACES


def test_api_page_lists_the_public_names():
    classes = {name for name in import_module("falcon_sc").__all__ if name not in NAMESPACES}
    functions = {f"{n}.{name}" for n in NAMESPACES for name in import_module(f"falcon_sc.{n}").__all__} - {*NAMESPACES}
    assert {name for name in documented() if not is_piece(name)} == classes | functions


def test_pieces_on_the_api_page_exist():
    for name in documented():
        if is_piece(name):
            module, attribute = name.rsplit(".", 1)
            assert hasattr(import_module(f"falcon_sc.{module}"), attribute)
