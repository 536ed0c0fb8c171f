from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from numba import njit

from falcon_sc.core.relations.flow import compiled

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = "def add(a, b): return a + b"


def test_compiles_where_no_cache_can_be_written():
    """For a function without a source file numba finds no cache, as for one where no directory can be written."""
    scope: dict = {}
    exec(compile(SOURCE, "<no file>", "exec"), scope)
    with pytest.raises(RuntimeError, match="cannot cache"):
        njit(cache=True)(scope["add"])
    assert compiled(scope["add"])(1.5, 2.0) == 3.5


FULL = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # as on a full disk, files can be made and hold nothing
from falcon_sc.core import relations
print(relations.solve([[0.3, 0.0], [0.2, 0.1], [0.1, 0.3]], lam=0.1).tolist())
"""


def test_solves_where_the_folder_of_the_cache_is_full(tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="Windows has no such limits")
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", FULL], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout == "[[1, 0], [1, 0], [0, 1]]\n", done.stderr
