"""Texts that come from the data are drawn as they are."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pytest

import falcon_sc as fsc

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.figure import Figure

NAME = r"a $\frac{b$ c_d $e$ 5 %"  # a formula that cannot be set, and what TeX takes for commands


@pytest.fixture
def named(discovered: AnnData) -> AnnData:
    """A coarse class and a gene with an awkward name."""
    adata = discovered.copy()
    adata.obs["coarse"] = adata.obs["coarse"].cat.rename_categories({"B cell": NAME})
    adata.obs["falcon_fine"] = adata.obs["falcon_fine"].cat.rename_categories({"B cell:0": f"{NAME}:0"})
    adata.var_names = [f"{name} {NAME}" for name in adata.var_names]
    return adata


def _relation(adata: AnnData) -> Figure:
    return fsc.pl.relation(adata).figure


def _confident(adata: AnnData) -> Figure:
    return fsc.pl.confident(adata).figure


def _embedding(adata: AnnData) -> Figure:
    return fsc.pl.embedding(adata.obsm["X_falcon"], adata.obs["falcon_fine"], adata.obs["coarse"], n_max=20).figure


def _confident_images(adata: AnnData) -> Figure:
    images = np.zeros((adata.n_obs, 2, 2), np.uint8)
    names = [NAME, "b", "c"]
    return fsc.pl.confident_images(images, adata.obsm["falcon_proba"], adata.uns["falcon"]["M"], coarse_names=names)[
        0
    ].figure


def _n_fine(adata: AnnData) -> Figure:
    one = np.ones(1, dtype=np.int64)
    adata.uns["falcon_n_fine"] = {
        "coarse_names": np.array([NAME]), "sizes": one, "stable": one, "estimate": one, "supported": one,
        "stability": np.ones((1, 3)), "support": np.ones((1, 3)), "params": {"coarse_key": "coarse"},
    }  # fmt: skip
    return fsc.pl.n_fine(adata).figure


@pytest.mark.parametrize("draw", [_relation, _confident, _embedding, _confident_images, _n_fine])
def test_a_name_is_no_formula(named: AnnData, draw) -> None:
    figure = draw(named)
    texts = [text.get_text() for text in figure.findobj(mpl.text.Text) if "frac" in text.get_text()]
    assert texts
    assert all(NAME in text for text in texts)
    figure.savefig(BytesIO(), format="pdf")


@pytest.mark.parametrize("draw", [_relation, _confident, _embedding, _confident_images, _n_fine])
def test_a_name_does_not_go_through_tex(named: AnnData, draw) -> None:
    with mpl.rc_context({"text.usetex": True}):  # of the setting only: not every machine has TeX to draw with
        texts = [text for text in draw(named).findobj(mpl.text.Text) if "frac" in text.get_text()]
    assert texts
    assert not any(text.get_usetex() for text in texts)
