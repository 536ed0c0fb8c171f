from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.figure import Figure

import falcon_sc as fsc

if TYPE_CHECKING:
    from anndata import AnnData


def test_curves_are_those_of_the_run(discovered: AnnData, fingerprint) -> None:
    before = fingerprint(discovered)
    figure = fsc.pl.history(discovered)
    assert isinstance(figure, Figure)
    losses, used, changes = figure.axes
    history = discovered.uns["falcon"]["history"]
    drawn = {line.get_label().partition(" ")[0]: line.get_ydata() for line in losses.lines}
    assert list(drawn) == ["total", "coarse", "neighbors", "confidence", "regularizer"]
    np.testing.assert_array_equal(drawn["total"], history["loss"])
    np.testing.assert_array_equal(drawn["neighbors"], history["loss_nn"])
    np.testing.assert_array_equal(used.lines[-1].get_ydata(), history["n_used"])
    np.testing.assert_array_equal(changes.lines[-1].get_ydata(), history["relation_changes"])
    assert used.get_title(loc="left") == "fine classes in use (of 6)"
    labels = [line.get_label() for line in losses.lines]
    assert labels[3:] == ["confidence (eq. 6)", "regularizer"]  # not eq. 9, which the default prior replaces
    figure.draw_without_rendering()
    assert fingerprint(discovered) == before


def test_nothing_to_draw(planted: AnnData) -> None:
    with pytest.raises(KeyError, match=r"run falcon_sc\.tl\.discover"):
        fsc.pl.history(planted)
