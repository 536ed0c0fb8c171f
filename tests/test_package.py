"""Conventions of the whole public surface."""

from __future__ import annotations

import inspect
import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from anndata import AnnData

import falcon_sc as fsc

if TYPE_CHECKING:
    from collections.abc import Callable

HEAVY = ("torch", "torchvision", "kornia", "scanpy", "numba", "gurobipy", "matplotlib", "sklearn", "pynndescent")
TABLES = ("pandas", "scipy", "anndata")
LIGHT = {
    "import falcon_sc": HEAVY + TABLES,
    "import falcon_sc.pp, falcon_sc.tl, falcon_sc.pl": HEAVY,
    "import falcon_sc.metrics": HEAVY + TABLES,
    "import falcon_sc.vision, falcon_sc.vision.datasets": HEAVY + TABLES,
    "from falcon_sc.vision import ImageViews, pretrain": ("scanpy", "anndata"),
    "import falcon_sc.core.relations.problem": HEAVY + TABLES,
}
FUNCTIONS = [
    getattr(module, name) for module in (fsc.pp, fsc.tl, fsc.pl) for name in module.__all__
]  # every public function that takes an AnnData
ON_ARRAYS = {fsc.pl.confident_images, fsc.pl.embedding}
READING = {fsc.tl.markers, fsc.tl.report}  # return a table, the form of scanpy is written beside; and a path
CHANGING = [f for f in FUNCTIONS if not f.__module__.startswith("falcon_sc.pl") and f not in READING]


@pytest.mark.parametrize(("statement", "heavy"), LIGHT.items())
def test_import_loads_nothing_heavy(statement: str, heavy: tuple[str, ...]) -> None:
    code = f"{statement}; import sys; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_names() -> None:
    assert set(fsc.__all__) <= set(dir(fsc))
    assert fsc.Falcon.__module__ == "falcon_sc.core.model"
    assert fsc.FalconConfig.__module__ == "falcon_sc.core.config"
    assert fsc.__version__.count(".") >= 2
    with pytest.raises(AttributeError, match="'falcon_sc' has no attribute 'falcno'"):
        fsc.falcno  # noqa: B018


def test_functions_are_named_like_their_files() -> None:
    for function in FUNCTIONS:
        assert function.__module__.rpartition(".")[2] == function.__name__


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__qualname__)
def test_signature(function) -> None:
    parameters = inspect.signature(function).parameters
    positional = [name for name, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    if function not in ON_ARRAYS:
        assert positional[0] == "adata"
        assert parameters["adata"].annotation == "AnnData"
    assert len(positional) <= 3
    assert all(p.annotation is not p.empty for p in parameters.values())
    assert function.__annotations__["return"]


@pytest.mark.parametrize("function", CHANGING, ids=lambda function: function.__qualname__)
def test_copy_is_offered(function) -> None:
    signature = inspect.signature(function)
    assert signature.parameters["copy"].default is False
    assert signature.parameters["copy"].kind is inspect.Parameter.KEYWORD_ONLY
    assert signature.return_annotation == "AnnData | None"


COMPUTING: dict[str, Callable[..., Any]] = {
    "discover": lambda cells, _, **options: fsc.tl.discover(cells, "coarse", 6, **options),
    "estimate_n_fine": lambda cells, _, **options: fsc.tl.estimate_n_fine(cells, "coarse", **options),
    "predict": lambda cells, model, **options: fsc.tl.predict(cells, model, key_added="again", **options),
    "select_genes": lambda cells, _, **options: fsc.pp.select_genes(cells, **options),
    "neighbors_within": lambda cells, _, **options: fsc.pp.neighbors_within(cells, "coarse", **options),
}


@pytest.mark.parametrize("name", COMPUTING)
def test_where_there_is_no_memory_for_a_copy_no_work_is_lost(
    name: str, planted: AnnData, tmp_path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Said at once, not after hours of training; reading the values is the first work that is done."""
    cells, model = planted.copy(), None
    if name == "predict":
        fsc.tl.discover(cells, "coarse", 6, max_epochs=1, progress_bar=False, device="cpu", save_model=tmp_path)
        model = fsc.Falcon.load(tmp_path, device="cpu")

    def copy(self: AnnData, filename: str | None = None) -> AnnData:  # real memory would be short at any other line
        raise MemoryError

    monkeypatch.setattr(AnnData, "copy", copy)
    caplog.clear()
    with caplog.at_level(logging.INFO, "falcon_sc"), pytest.raises(MemoryError):
        COMPUTING[name](cells, model, copy=True)
    assert "taken for" not in caplog.text


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__qualname__)
def test_docstring(function) -> None:
    text = inspect.getdoc(function)
    for section in ("Parameters", "Returns", "Raises", "Examples"):
        assert f"\n{section}\n{'-' * len(section)}\n" in text, section
    for name in inspect.signature(function).parameters:
        assert f"\n{name}\n" in text, name
