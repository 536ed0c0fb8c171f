from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import pytest

from falcon_sc._cli.keeping import Output, write_all

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch) -> Path:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


def _write(path: Path) -> None:
    path.write_text("all of it")


def _write_little(path: Path) -> None:
    path.write_text("labels")


def _fails(path: Path) -> None:
    path.touch()
    msg = "cannot be written in\nthis format"
    raise TypeError(msg)


def test_what_has_a_place_goes_there(tmp_path: Path, temporary: Path, capsys) -> None:
    write_all([Output(tmp_path / "a", "-a", _write), Output(tmp_path / "b", "-b", _write_little)])
    assert [(tmp_path / name).read_text() for name in "ab"] == ["all of it", "labels"]
    assert capsys.readouterr().out == f"wrote {tmp_path / 'a'}\nwrote {tmp_path / 'b'}\n"
    assert not list(temporary.iterdir())


def test_what_has_none_goes_elsewhere_and_the_others_to_theirs(tmp_path: Path, temporary: Path, capsys) -> None:
    gone = tmp_path / "gone" / "out.h5ad"
    with pytest.raises(OSError, match=r"--output='.*out.h5ad' could not be written \(.*No such file") as caught:
        write_all([Output(gone, "--output", _write), Output(tmp_path / "b", "-b", _write_little)])
    (instead,) = temporary.glob("*/out.h5ad")
    assert instead.read_text() == "all of it"
    assert f"It is in {str(instead)!r}." in str(caught.value)
    assert (tmp_path / "b").read_text() == "labels"
    assert capsys.readouterr().out == f"wrote {tmp_path / 'b'}\n"


def test_at_least_what_a_person_waited_for(tmp_path: Path, temporary: Path) -> None:
    with pytest.raises(OSError, match=r"\(cannot be written in this format\)\. What was found is in '.*labels.csv'"):
        write_all([Output(tmp_path / "out.h5ad", "--output", _fails, ("labels.csv", _write_little))])
    (instead,) = temporary.glob("*/*")
    assert instead.read_text() == "labels"


def test_nothing_can_be_done(tmp_path: Path, temporary: Path, monkeypatch) -> None:
    with pytest.raises(OSError, match="Nor could anything be written elsewhere"):
        write_all([Output(tmp_path / "out.h5ad", "--output", _fails)])
    assert not list(temporary.iterdir())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(OSError, match="Nor could anything be written elsewhere"):
        write_all([Output(tmp_path / "out.h5ad", "--output", _fails)])
