from __future__ import annotations

import os
import subprocess
import sys

import pytest

from falcon_sc.core.runtime.compiled_code import says_where_to_keep_it

READ_ONLY = """
import numpy as np
import falcon_sc as fsc
from falcon_sc.core.data.neighbors import EXACT_MAX, check_search

adata = fsc.datasets.simulate(60, 60, n_coarse=2, n_fine=2, rng=0)
for function in (
    lambda: fsc.pp.select_genes(adata, n_top_genes=20),
    lambda: fsc.pp.neighbors_within(adata, "coarse", n_neighbors=5),
    lambda: check_search(np.zeros(EXACT_MAX + 1, dtype=np.int64)),
    fsc.datasets.pbmc68k_reduced,
):
    try:
        function()
    except RuntimeError as error:
        print(error)
"""


def test_without_a_folder_for_compiled_code_the_variable_is_named() -> None:
    """As in a read-only container: of the places where numba looks, only the one that was not given is left."""
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    environment["NUMBA_CACHE_LOCATOR_CLASSES"] = "UserProvidedCacheLocator"
    command = [sys.executable, "-W", "ignore", "-c", READ_ONLY]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    libraries = ("scanpy", "umap", "pynndescent", "scanpy")
    for said, library in zip(done.stdout.splitlines(), libraries, strict=True):
        assert f"{library} keeps there what numba compiles" in said
        assert "set the environment variable NUMBA_CACHE_DIR" in said


def _fails() -> None:
    msg = "other"
    raise RuntimeError(msg)


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match=r"^other$"), says_where_to_keep_it("scanpy"):
        _fails()
