"""Every public name is on the API page, the page names nothing else, and what a function returns is readable there."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

DOCS = Path(__file__).parents[1] / "docs"
API = (DOCS / "api.md").read_text(encoding="utf-8")
NAMESPACES = ("pp", "tl", "pl", "metrics", "baselines", "datasets", "search", "vision", "vision.datasets")


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


@pytest.fixture(scope="module")
def sphinx_app(tmp_path_factory: pytest.TempPathFactory) -> Sphinx:
    """The documentation's own configuration, with nothing built."""
    application = pytest.importorskip("sphinx.application", reason="the group doc is not installed")
    out = tmp_path_factory.mktemp("docs")
    return application.Sphinx(DOCS, DOCS, out, out, "dummy", {"autosummary_generate": False}, status=None, warning=None)


def documented_functions() -> Iterator[tuple[str, str, object]]:
    """What sphinx calls them, and name and object of each function and method on the API page."""
    for name in sorted(documented()):
        module, _, attribute = f"falcon_sc.{name}".rpartition(".")
        found = getattr(import_module(module), attribute)
        if inspect.isfunction(found):
            yield "function", name, found
        elif inspect.isclass(found):
            for method, function in inspect.getmembers(found, callable):
                if not method.startswith("_") and inspect.getdoc(function):
                    yield "method", f"{name}.{method}", function


def section(text: str, header: str) -> str:
    """What stands under `header` in a numpydoc text."""
    found = re.search(rf"^{header}\n-+\n(.*?)(?=\n\n[A-Z][a-z]+\n-+\n|\Z)", text, flags=re.DOTALL | re.MULTILINE)
    return found[1].strip("\n") if found else ""


def test_returns_are_built_as_they_are_written(sphinx_app: Sphinx, caplog: pytest.LogCaptureFixture):
    """Sphinx takes some first sentences of *Returns* for a type or a term and tears them from what follows."""
    caplog.set_level("WARNING", "sphinx")
    torn, n_checked = [], 0
    for what, name, function in documented_functions():
        text = inspect.getdoc(function)
        written = section(text, "Returns")
        if not written:
            continue
        n_checked += 1
        lines = [*text.splitlines(), ""]
        sphinx_app.emit("autodoc-process-docstring", what, f"falcon_sc.{name}", function, None, lines)
        field = re.search(r"^:returns:(.*?)(?=^\S|\Z)", "\n".join(lines), flags=re.DOTALL | re.MULTILINE)
        built = dedent(" " * len(":returns:") + field[1]).rstrip("\n")
        is_typed = "\n " in written.partition("\n\n")[0]  # "Self", and what it is in an indented line below
        if is_typed or built != written:
            torn.append(name)
    assert n_checked > 30
    assert not torn, "begin with a sentence alone; before a list of fields it ends in a colon"
