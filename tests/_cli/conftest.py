"""The command line as people use it: real files, and where it matters real processes."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData


@pytest.fixture
def source(planted: AnnData, tmp_path: Path) -> Path:
    path = tmp_path / "in.h5ad"
    planted.write_h5ad(path)
    return path


@pytest.fixture
def falcon_sc() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command in a process of its own."""
    return _run


def _run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "falcon_sc._cli", *map(str, arguments)]
    return subprocess.run(command, **{"capture_output": True, "text": True, "check": False} | options)


@pytest.fixture
def few_steps() -> list[str]:
    """Options of a run that is over in a moment: as many fine classes as coarse ones, so that there is no start."""
    return ["--coarse-key", "coarse", "--n-fine", "3", "--max-epochs", "1", "--no-progress-bar", "--device", "cpu"]
