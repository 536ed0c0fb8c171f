"""What no function can take is refused under the name of the argument, before anything is computed or written."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import falcon_sc as fsc

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

# what each function that takes cells is called with
CALLS: dict[str, dict[str, Any]] = {
    "pp.select_genes": {},
    "pp.neighbors_within": {"coarse_key": "coarse"},
    "tl.discover": {"coarse_key": "coarse", "n_fine": 6},
    "tl.estimate_n_fine": {"coarse_key": "coarse"},
    "tl.cut": {"n_fine": 5},
    "tl.refine": {"name": "B cell", "n_fine": 2},
    "tl.predict": {"model": None},
    "tl.merge": {"names": ["B cell:0", "B cell:1"]},
    "tl.rename": {"names": {"B cell:0": "naive"}},
    "tl.markers": {},
    "tl.report": {},
    "pl.composition": {"by": "donor"},
    "pl.confident": {},
    "pl.flow": {"left": "fine", "right": "donor"},
    "pl.history": {},
    "pl.n_fine": {},
    "pl.relation": {},
    "pl.tree": {},
}
ON_ARRAYS: dict[str, tuple[Any, ...]] = {
    "pl.confident_images": (np.zeros((2, 4, 4), dtype=np.uint8), np.eye(2), np.eye(2)),
    "pl.embedding": (np.random.default_rng(0).normal(size=(8, 3)), np.arange(8) % 2),
}
NAMES = ("key", "coarse_key", "batch_key", "dataset_key", "use_rep", "by", "left", "right")


def function(name: str) -> Callable[..., Any]:
    module, own = name.split(".")
    return getattr(getattr(fsc, module), own)


AXES = [name for name in [*CALLS, *ON_ARRAYS] if "ax" in signature(function(name)).parameters]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("model")


@pytest.fixture(scope="module")
def discovered(planted: AnnData, folder: Path) -> AnnData:
    """The planted cells with classes that mean little, and their model in the folder; do not change it."""
    numbers = dict.fromkeys(planted.obs["coarse"].cat.categories, 2)
    options: dict[str, Any] = {
        "config": fsc.FalconConfig(start="random"),
        "max_epochs": 2,
        "device": "cpu",
        "copy": True,
    }
    return fsc.tl.discover(planted, "coarse", numbers, progress_bar=False, save_model=folder, **options)


@pytest.fixture(scope="module")
def called(discovered: AnnData, folder: Path) -> dict[str, dict[str, Any]]:
    """The arguments of each function, a model too."""
    return CALLS | {"tl.predict": {"model": fsc.Falcon.load(folder)}}


def test_no_function_is_forgotten() -> None:
    public = {f"{module}.{name}" for module in ("pp", "tl", "pl") for name in getattr(fsc, module).__all__}
    assert public == {*CALLS, *ON_ARRAYS}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("given", [None, "cells.h5ad", np.ones((3, 2)), pd.DataFrame()], ids=lambda x: type(x).__name__)
def test_what_is_no_anndata(name: str, given: object, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TypeError, match=f"adata must be an AnnData object, found {type(given).__name__}"):
        function(name)(given, **CALLS[name])
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        (name, argument)
        for name in CALLS
        for argument in NAMES
        if argument in signature(function(name)).parameters
        if (name, argument) != ("tl.predict", "use_rep")  # a model of genes has none
    ],
)
def test_several_names_where_one_is_meant(
    discovered: AnnData, called, fingerprint, name: str, argument: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = fingerprint(discovered)
    with pytest.raises(TypeError, match=rf"{argument} must be one name, found \['a', 'b'\]"):
        function(name)(discovered, **called[name] | {argument: ["a", "b"]})
    assert fingerprint(discovered) == before


@pytest.mark.parametrize("name", AXES)
def test_what_is_no_axes(discovered: AnnData, fingerprint, name: str) -> None:
    figure, several = plt.subplots(1, 2)
    before = fingerprint(discovered)
    arguments = ON_ARRAYS.get(name, (discovered,))
    for given in (several, figure, "here"):
        with pytest.raises(TypeError, match=f"ax must be one matplotlib Axes, found {type(given).__name__}"):
            function(name)(*arguments, **CALLS.get(name, {}), ax=given)
    plt.close(figure)
    assert fingerprint(discovered) == before


@pytest.mark.parametrize("names", [None, 3, 2.5])
def test_what_is_no_list_of_classes(discovered: AnnData, fingerprint, names: object) -> None:
    before = fingerprint(discovered)
    with pytest.raises(TypeError, match=f"names must list the fine classes to merge, found {names}"):
        fsc.tl.merge(discovered, names)
    assert fingerprint(discovered) == before


def test_no_coarse_class_to_draw(discovered: AnnData) -> None:
    with pytest.raises(ValueError, match=r"coarse=\[\] names no coarse class; there are 'B cell', "):
        fsc.pl.confident(discovered, coarse=[])
    with pytest.raises(ValueError, match=r"coarse=\[\] names no coarse class; there are \[0, 1\]"):
        fsc.pl.confident_images(*ON_ARRAYS["pl.confident_images"], coarse=[])


def test_a_column_that_predict_would_not_read(discovered: AnnData, called, fingerprint) -> None:
    before = fingerprint(discovered)
    with pytest.raises(KeyError, match="dataset_key='gone' is not a column"):
        fsc.tl.predict(discovered, **called["tl.predict"], dataset_key="gone")
    assert fingerprint(discovered) == before
