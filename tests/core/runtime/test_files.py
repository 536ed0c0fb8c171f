from __future__ import annotations

from pathlib import Path

import pytest
import torch

from falcon_sc.core.runtime.files import as_path, write_tensors, write_whole


def test_home_folder(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert as_path("~") == tmp_path
    assert as_path("~/model") == as_path(Path("~/model")) == tmp_path / "model"
    assert as_path("a/~") == Path("a/~")
    assert as_path("~copy of model") == Path("~copy of model")  # a file, nobody's home
    for wrong in (3, None, b"model", ""):
        with pytest.raises(TypeError, match=f"path must be text or a pathlib.Path, found {wrong!r}"):
            as_path(wrong)


def test_what_was_there_stays_until_the_new_file_is_whole(tmp_path: Path, full_disk) -> None:
    (tmp_path / "file").write_text("old")
    with full_disk(), pytest.raises(OSError, match="File too large"):
        write_whole(tmp_path / "file", lambda path: path.write_text("new"))
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "old")]
    write_whole(tmp_path / "file", lambda path: path.write_text("new"))
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "new")]


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "file").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "file")
    write_whole(tmp_path / "link", lambda path: path.write_text("new"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "disk" / "file").read_text() == "new"


def test_tensors(tmp_path: Path, full_disk) -> None:
    path = tmp_path / "weights.pt"
    # torch.save itself says "unexpected pos 576 vs 534", a RuntimeError
    with full_disk(), pytest.raises(OSError, match="File too large"):
        write_tensors(path, {"a": torch.ones(3)})
    assert not list(tmp_path.iterdir())
    write_tensors(path, {"a": torch.ones(3)})
    torch.testing.assert_close(torch.load(path, weights_only=True)["a"], torch.ones(3))
