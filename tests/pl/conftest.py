from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

import falcon_sc as fsc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anndata import AnnData

mpl.use("agg")


@pytest.fixture(autouse=True)
def no_figure_left() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def just_discovered(planted: AnnData) -> AnnData:
    """The planted cells with fine classes and the tree that is found; do not change it."""
    config = fsc.FalconConfig(max_epochs=5)
    return fsc.tl.discover(planted, "coarse", 6, config=config, progress_bar=False, device="cpu", copy=True)


@pytest.fixture(scope="session")
def discovered(just_discovered: AnnData, plant_tree: Callable[[AnnData], None]) -> AnnData:
    """The planted cells with fine classes, and a tree that is known; do not change it."""
    found = just_discovered.copy()
    plant_tree(found)
    return found
