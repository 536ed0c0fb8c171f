"""What stands in two places of the repository says the same in both."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_one_version_of_ruff() -> None:
    hatch = PYPROJECT["tool"]["hatch"]["envs"]
    required = [
        *(entry for entry in PYPROJECT["dependency-groups"]["dev"] if isinstance(entry, str)),
        *hatch["hatch-check-code"]["dependencies"],
        *hatch["hatch-check-fmt"]["dependencies"],
    ]
    pinned = [name.removeprefix("ruff==") for name in required if name.startswith("ruff")]
    hook = re.search(r"ruff-pre-commit\n    rev: v(\S+)", read(".pre-commit-config.yaml"))
    assert pinned == [hook[1]] * 3


def test_citation_is_of_this_version() -> None:
    version = re.search(r"^version: (\S+)$", read("CITATION.cff"), flags=re.MULTILINE)
    assert version[1] == PYPROJECT["project"]["version"]


def test_headings_of_the_changelog() -> None:
    """Keep a Changelog: versions that link to what is in them, and in each only the kinds of changes that it names."""
    changelog = read("CHANGELOG.md")
    versions = re.findall(r"^## (\[.+?\])", changelog, flags=re.MULTILINE)
    assert versions[0] == "[Unreleased]"
    assert all(re.search(rf"^{re.escape(name)}: https://", changelog, flags=re.MULTILINE) for name in versions)
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", changelog, flags=re.MULTILINE)) <= kinds


def test_every_python_of_the_classifiers_is_tested() -> None:
    named = re.findall(r"Python :: (3\.\d+)", " ".join(PYPROJECT["project"]["classifiers"]))
    tested = {
        version for row in PYPROJECT["tool"]["hatch"]["envs"]["hatch-test"]["matrix"] for version in row["python"]
    }
    assert set(named) == tested


def test_the_report_says_how_to_cite_as_the_readme_does() -> None:
    from falcon_sc.tl._report_texts import CITE

    assert re.search(r"```bibtex\n(.*?)\n```", read("README.md"), flags=re.DOTALL)[1] == CITE
