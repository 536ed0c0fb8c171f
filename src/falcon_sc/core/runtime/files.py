"""Paths as people write them, and files that are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def as_path(path: str | os.PathLike[str]) -> Path:
    """The path, with the home folder for a ``~`` at its beginning.

    Raises
    ------
    TypeError
        If it is neither text nor a path, or empty.
    """
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        msg = f"path must be text or a pathlib.Path, found {path!r}."
        raise TypeError(msg)
    # unlike Path.expanduser, it leaves a file alone whose name begins with ~ but names nobody's home
    return Path(os.path.expanduser(os.fsdecode(path)))  # noqa: PTH111


def beside(path: Path) -> Path:
    """Where a file is written before it is moved into place."""
    return path.with_name(path.name + ".part")


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write beside the file and move it into place: a kill or a full disk leaves the old file or the new, never half.

    A link is followed, and nothing stays beside the file.
    """
    path = path.resolve()
    part = beside(path)
    try:
        write(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_tensors(path: Path, content: Any) -> None:
    """What torch.save writes; but a full disk is an OSError that says so."""
    import io

    import torch

    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_whole(path, lambda beside: beside.write_bytes(buffer.getbuffer()))
