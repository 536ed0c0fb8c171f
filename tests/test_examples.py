"""Every example in a docstring runs as it stands, in an empty folder, and gives what it says."""

from __future__ import annotations

import doctest
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import pytest

import falcon_sc as fsc
from falcon_sc.core import relations

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

MODULES = ("pp", "tl", "pl", "datasets", "metrics", "baselines", "search", "vision", "vision.datasets")
_NEEDS = {
    "baselines.FairLeiden": "leidenalg",
    "search.tune": "optuna",
    **dict.fromkeys(("vision.build_backbone", "vision.pretrain", "vision.save_encoder"), "torchvision"),
    "vision.load_pretrained": "torchvision",
}
_OTHERS = {
    "baselines.PeakCounts",
    "search.Tuned",
    "vision.datasets",
    "vision.datasets.T2",
}  # what others return, and data
# minutes of training, and files that nobody may ship
_NOT_RUN = {"baselines.SCVILeiden"} | {
    f"vision.datasets.{name}" for name in ("cifar100", "cifar68", "cifar_si", "breeds", "tiered_imagenet")
}
EXAMPLES = {
    full: getattr(import_module(f"falcon_sc.{module}"), name)
    for module in MODULES
    for name in import_module(f"falcon_sc.{module}").__all__
    if (full := f"{module}.{name}") not in _OTHERS
} | {"Falcon": fsc.Falcon, "FalconConfig": fsc.FalconConfig}
EXAMPLES |= {f"core.relations.{name}": getattr(relations, name) for name in ("solve", "objective", "is_optimal")}


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
    is_skipped = [doctest.SKIP in line.options for found in examples for line in found.examples]
    assert any(is_skipped) == (name in _NOT_RUN)
    for found in examples:
        doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(found, out=said.append)
    plt.close("all")
    assert not "".join(said)
