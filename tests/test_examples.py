"""Every example in a docstring runs as it stands, in an empty folder, and gives what it says."""

from __future__ import annotations

import doctest
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import pytest

import falcon_sc as fsc

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

MODULES = ("pp", "tl", "pl", "datasets", "metrics", "baselines")
_NEEDS = {"baselines.FairLeiden": "leidenalg"}
EXAMPLES = {
    f"{module}.{name}": getattr(getattr(fsc, module), name)
    for module in MODULES
    for name in getattr(fsc, module).__all__
    if not (module == "baselines" and name == "PeakCounts")  # what another function returns
} | {"Falcon": fsc.Falcon, "FalconConfig": fsc.FalconConfig}


# what most examples begin with
_CALL: dict[str, Any] = {"coarse_key": "coarse", "n_fine": 10, "max_epochs": 5, "progress_bar": False}


@pytest.fixture(scope="module")
def discovered() -> AnnData:
    adata = fsc.datasets.pbmc68k_reduced()
    fsc.tl.discover(adata, **_CALL)
    return adata


@pytest.fixture
def discovered_once(discovered: AnnData, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same call on the same cells is made once: twelve times it would take half a minute."""
    really = fsc.tl.discover

    def discover(adata: AnnData, *arguments: Any, **keywords: Any) -> AnnData | None:
        if arguments or keywords != _CALL:
            return really(adata, *arguments, **keywords)
        known = discovered.copy()
        for part in ("obs", "var", "obsm", "uns"):
            for key, value in getattr(known, part).items():
                getattr(adata, part)[key] = value
        return None

    monkeypatch.setattr(fsc.tl, "discover", discover)


@pytest.mark.usefixtures("discovered_once")
@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name in _NEEDS and find_spec(_NEEDS[name]) is None:
        pytest.skip(f"{_NEEDS[name]} is not installed")
    if name == "tl.discover":
        monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    examples = [found for found in doctest.DocTestFinder().find(EXAMPLES[name], name, globs={}) if found.examples]
    assert name in [found.name for found in examples]
    for found in examples:
        doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(found, out=said.append)
    plt.close("all")
    assert not "".join(said)
