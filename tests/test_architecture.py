"""The house as docs/architecture.md draws it: read from the page and from the imports, `TYPE_CHECKING` ones included."""

from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOUSE = ROOT / "src" / "falcon_sc"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
LONGEST = 250
OWN_FILES_OF_CORE = 4  # at most, with __init__.py

# an empty __init__.py is but the mark of a package
FILES = {
    path.relative_to(HOUSE).with_suffix("").as_posix(): path
    for path in sorted(HOUSE.rglob("*.py"))
    if path.stat().st_size
}


def _imports(path: Path) -> set[str]:
    """The files of the house that a file names in an import, wherever the import stands."""
    named: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            named |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {found for name in named if (found := _file_of(name)) is not None}


def _file_of(dotted: str) -> str | None:
    """The file that holds `falcon_sc.room.file.name`: the file itself, or that of the module or package before the name."""
    first, *parts = dotted.split(".")
    if first != "falcon_sc":
        return None
    for length in range(len(parts), -1, -1):
        for candidate in ("/".join(parts[:length]), "/".join([*parts[:length], "__init__"])):
            if candidate in FILES:
                return candidate
    return None


ARROWS = {file: _imports(path) - {file} for file, path in FILES.items()}


def floors() -> dict[str, int]:
    """Height of each room or file on the drawing, the ground at 0."""
    drawing = re.search(r":name: floors\n\n(.*?)```", PAGE, re.DOTALL)
    assert drawing is not None
    lines = [line[16:].split() for line in drawing.group(1).splitlines() if line.strip()]
    return {room: height for height, line in enumerate(reversed(lines)) for room in line}


def place(file: str, drawn: dict[str, int]) -> str:
    """What stands for a file on the drawing: itself, or the nearest folder around it."""
    parts = file.split("/")
    around = ["/".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return next((name for name in around if name in drawn), "")


def wrong_arrows(arrows: dict[str, set[str]]) -> list[str]:
    drawn = floors()
    wrong = []
    for file, targets in arrows.items():
        for target in targets:
            here, there = place(file, drawn), place(target, drawn)
            if here != there and drawn[there] >= drawn[here]:
                wrong.append(f"{file} -> {target}")
    return sorted(wrong)


def test_every_file_stands_on_a_floor() -> None:
    drawn = floors()
    assert [file for file in FILES if not place(file, drawn)] == []
    gone = [name for name in drawn if name not in FILES and not (HOUSE / name).is_dir()]
    assert gone == []


def test_every_arrow_points_downwards() -> None:
    assert len(ARROWS) > 100
    assert wrong_arrows(ARROWS) == []


@pytest.mark.parametrize(
    ("file", "target"),
    [
        ("core/config", "core/model"),  # upwards
        ("core/start/allocation", "core/data/budget"),  # to a neighbor on the same floor
        ("core/start/input", "core/start/consensus_start"),
        ("pl/relation", "vision/samples"),
    ],
)
def test_a_wrong_arrow_would_be_seen(file: str, target: str) -> None:
    assert file in FILES
    assert target in FILES
    assert wrong_arrows({file: {target}}) == [f"{file} -> {target}"]


def test_no_circle() -> None:
    """Packages that re-export are left out: a file and its own package may name each other."""
    graph = {file: {t for t in targets if not t.endswith("__init__")} for file, targets in ARROWS.items()}
    TopologicalSorter(graph).prepare()
    with pytest.raises(CycleError):
        TopologicalSorter(graph | {"core/config": {"core/model"}}).prepare()


def test_the_start_imports_nothing_else_of_the_house_and_no_torch() -> None:
    own = [file for file in FILES if file.startswith("core/start/")]
    assert len(own) > 10
    for file in own:
        assert {t for t in ARROWS[file] if not t.startswith("core/start/")} == set(), file
        assert not re.search(r"^\s*(import|from) torch\b", FILES[file].read_text(encoding="utf-8"), re.MULTILINE), file


def test_no_file_is_long() -> None:
    lengths = {file: len(path.read_text(encoding="utf-8").splitlines()) for file, path in FILES.items()}
    assert {file: n for file, n in lengths.items() if n > LONGEST} == {}


def test_the_core_has_few_files_of_its_own() -> None:
    assert len(list((HOUSE / "core").glob("*.py"))) <= OWN_FILES_OF_CORE


def test_the_page_names_every_folder_and_file() -> None:
    rooms = {
        cells[1].strip(" `"): set(re.findall(r"`(\w+)`", cells[2]))
        for line in PAGE.splitlines()
        if len(cells := line.split("|")) == 5 and cells[1].strip().endswith("/`")
    }
    there: dict[str, set[str]] = {}
    for file in FILES:
        folder, _, name = file.rpartition("/")
        if name != "__init__":
            there.setdefault(f"{folder or 'falcon_sc'}/", set()).add(name)
    assert rooms == there
