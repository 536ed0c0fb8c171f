"""What the pages show can be typed: names and keywords of Python exist, commands and their options as well."""

from __future__ import annotations

import ast
import re
import shlex
from importlib import import_module
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

import falcon_sc as fsc
from falcon_sc._cli import bench, command_line

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMESPACES = ("pp", "tl", "pl", "metrics", "baselines", "datasets", "search", "vision")
KNOWN: dict[str, Any] = {
    "fsc": fsc,
    "FalconConfig": fsc.FalconConfig,
    **{name: import_module(f"falcon_sc.{name}") for name in NAMESPACES},
}
FENCED = re.compile(r"^```\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
OF_BENCH = {"command", "spelled", "traceback", "name", "output"}  # what the command itself reads


def pieces(page: Path) -> Iterator[tuple[str, bool]]:
    """What a page shows as code, and whether that is a block: in a line a call may leave arguments out."""
    text = page.read_text(encoding="utf-8")
    yield from ((block, True) for block in FENCED.findall(text))
    yield from ((code, False) for code in re.findall(r"`([^`\n]+)`", FENCED.sub("", text)))


def trees(page: Path) -> Iterator[tuple[ast.AST, bool]]:
    for code, is_block in pieces(page):
        try:
            yield ast.parse(code), is_block
        except SyntaxError:  # no Python
            continue


def found(node: ast.expr) -> Any:
    """What an expression such as `fsc.tl.discover` names; None for what is not ours.

    Raises
    ------
    AttributeError
        If there is no such thing.
    """
    if isinstance(node, ast.Name):
        return KNOWN.get(node.id)
    if isinstance(node, ast.Attribute) and (owner := found(node.value)) is not None:
        return getattr(owner, node.attr) if isinstance(owner, ModuleType | type) else None
    return None


def wrong_python(page: Path) -> list[str]:
    wrong = []
    for tree, is_block in trees(page):
        for node in ast.walk(tree):
            try:
                if isinstance(node, ast.Attribute):
                    found(node)
                elif isinstance(node, ast.Call) and callable(function := found(node.func)):
                    keywords = {keyword.arg: None for keyword in node.keywords if keyword.arg is not None}
                    is_whole = is_block and len(keywords) == len(node.keywords)
                    bind = signature(function).bind if is_whole else signature(function).bind_partial
                    bind(*(None for _ in node.args), **keywords)
            except (AttributeError, TypeError) as error:
                wrong.append(f"{ast.unparse(node)}: {error}")
    return wrong


def commands(page: Path) -> Iterator[list[str]]:
    """Arguments of each command that is shown in full."""
    for code, _ in pieces(page):
        for line in code.splitlines():
            for typed in re.findall(r"(?:^|&& |uv run )falcon-sc (.*?)(?:\s+#|\s+&&|$)", line):
                arguments = shlex.split(typed)
                if len(arguments) > 1 and not {"...", "NAME"} & {*arguments}:
                    yield arguments


def wrong_commands(page: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    wrong = []
    for arguments in commands(page):
        try:
            read = vars(command_line._parser().parse_args(arguments))
        except SystemExit:
            wrong.append(capsys.readouterr().err)
            continue
        if arguments[0] == "bench":
            takes = signature(import_module(bench._benchmarks()[read["name"]]).run).parameters
            given = {name for name, value in read.items() if value is not None} - OF_BENCH
            wrong += [f"{arguments}: no --{name}" for name in given if not {name, f"{name}_file"} & {*takes}]
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_names_and_keywords_exist(page: Path) -> None:
    assert wrong_python(page) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_are_taken(page: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FALCON_SC_DATA", raising=False)
    assert wrong_commands(page, capsys) == []


def test_there_is_something_to_check() -> None:
    calls = [node for page in PAGES for tree, _ in trees(page) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert len(calls) > 50
    assert len([arguments for page in PAGES for arguments in commands(page)]) > 50


@pytest.mark.parametrize(
    "shown",
    [
        "```python\nfsc.tl.discover(adata)\n```",
        "```python\nfsc.tl.cut(adata, n_fines=3)\n```",
        "Call `tl.cuts(adata)`, or `FalconConfig(lambda_4=1)`.",
        "```bash\nfalcon-sc cut out.h5ad --n-fines 35 -o cut.h5ad\n```",
        "Run `falcon-sc bench n_fine --ways memory`.",
    ],
)
def test_what_is_wrong_would_be_seen(shown: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text(shown, encoding="utf-8")
    assert wrong_python(page) or wrong_commands(page, capsys)
