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
def discovered(planted: AnnData, plant_tree: Callable[[AnnData], None]) -> AnnData:
    """The planted cells with fine classes, and a tree; do not change it."""
    config = fsc.FalconConfig(max_epochs=5)
    found = fsc.tl.discover(planted, "coarse", 6, config=config, progress_bar=False, device="cpu", copy=True)
    plant_tree(found)
    return found
