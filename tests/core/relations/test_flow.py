from __future__ import annotations

import pytest
from numba import njit

from falcon_sc.core.relations.flow import compiled

SOURCE = "def add(a, b): return a + b"


def test_compiles_where_no_cache_can_be_written():
    """For a function without a source file numba finds no cache, as for one where no directory can be written."""
    scope: dict = {}
    exec(compile(SOURCE, "<no file>", "exec"), scope)
    with pytest.raises(RuntimeError, match="cannot cache"):
        njit(cache=True)(scope["add"])
    assert compiled(scope["add"])(1.5, 2.0) == 3.5
