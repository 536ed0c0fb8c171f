from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from falcon_sc._cli import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("command", [[], ["discover"], ["pretrain"], ["demo"], ["bench"]], ids=str)
def test_help_loads_nothing_heavy(command: list[str]) -> None:
    code = (
        "import sys\nfrom falcon_sc._cli import main\n"
        f"try:\n    main({[*command, '--help']!r})\n"
        "except SystemExit as stop:\n    assert stop.code == 0\n"
        "assert not {'torch', 'scanpy', 'anndata', 'matplotlib', 'pandas'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: falcon-sc")


def test_mistake_in_a_real_process(tmp_path: Path, falcon_sc) -> None:
    done = falcon_sc("discover", tmp_path / "no.h5ad", "--coarse-key", "a", "--n-fine", 3, "-o", tmp_path / "out.h5ad")
    assert done.returncode == 2
    assert done.stderr == f"falcon-sc: error: there is no file '{tmp_path / 'no.h5ad'}'.\n"


def test_traceback_on_request(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        main(
            ["--traceback", "discover", "no.h5ad", "--coarse-key", "a", "--n-fine", "3", "-o", str(tmp_path / "o.h5ad")]
        )
