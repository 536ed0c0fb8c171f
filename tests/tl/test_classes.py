"""Labels and numbers as pandas gives them, from a column of obs to names of classes and a saved model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import falcon_sc as fsc
from falcon_sc._labels import read_labels
from falcon_sc.tl._classes import check_n_fine

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

BIG = 2**53


@pytest.fixture
def coded(cells: AnnData) -> AnnData:
    """Coarse labels are 0, 1, 2."""
    cells.obs["coarse"] = cells.obs["coarse"].cat.codes.to_numpy().astype(np.int64)
    return cells


def test_numbers_beyond_floats_stay_apart(coded: AnnData, quick: dict[str, Any], tmp_path: Path) -> None:
    coded.obs["coarse"] = coded.obs["coarse"].to_numpy().astype(np.uint64) + np.uint64(2**63)
    names = [str(2**63 + code) for code in range(3)]
    fsc.tl.discover(coded, "coarse", 6, save_model=tmp_path, **quick)
    assert coded.uns["falcon"]["coarse_names"].tolist() == names
    parents = coded.obs["falcon_fine"].astype(str).str.rpartition(":")[0]
    assert parents.tolist() == coded.obs["coarse"].astype(str).tolist()
    again = fsc.tl.predict(coded, fsc.Falcon.load(tmp_path, device="cpu"), coarse_key="coarse", copy=True)
    assert again.obs["falcon_fine"].equals(coded.obs["falcon_fine"])


@pytest.mark.parametrize("labels", ["floats", "Int64", "categories", "text", "truth"])
def test_each_kind_is_known_again_after_loading(
    coded: AnnData, quick: dict[str, Any], tmp_path: Path, labels: str
) -> None:
    column = coded.obs["coarse"] + BIG * (labels in ("Int64", "categories"))
    kinds = {"floats": float, "Int64": "Int64", "categories": "category", "text": str, "truth": bool}
    coded.obs["coarse"] = column.astype(kinds[labels])
    fsc.tl.discover(coded, "coarse", 6, save_model=tmp_path, **quick)
    new = coded[:100].copy()
    new.obs["coarse"] = new.obs["coarse"].astype(object)  # the same labels, some of them missing
    new.obs.loc[new.obs_names[:5], "coarse"] = None
    fsc.tl.predict(new, fsc.Falcon.load(tmp_path, device="cpu"), coarse_key="coarse")
    # a class of which none of these cells is has no category among them
    assert new.obs["falcon_fine"][5:].equals(coded.obs["falcon_fine"][5:100].cat.remove_unused_categories())
    if labels == "floats":  # and as the integers that they are
        new.obs["coarse"] = column[:100]
        fsc.tl.predict(new, fsc.Falcon.load(tmp_path, device="cpu"), coarse_key="coarse")
        assert new.obs["falcon_fine"].equals(coded.obs["falcon_fine"][:100].cat.remove_unused_categories())


def test_data_sets_by_number(coded: AnnData, quick: dict[str, Any], tmp_path: Path) -> None:
    coded.obs["lab"] = np.where(np.arange(240) % 2, 10, 2)
    fsc.tl.discover(coded, "coarse", 6, dataset_key="lab", save_model=tmp_path, **quick)
    assert coded.uns["falcon"]["coarse_dataset"].tolist() == ["2"] * 3 + ["10"] * 3
    model = fsc.Falcon.load(tmp_path, device="cpu")
    for kind in (int, float, str):
        coded.obs["lab"] = coded.obs["lab"].astype(int).astype(kind)
        again = fsc.tl.predict(coded, model, coarse_key="coarse", dataset_key="lab", copy=True)
        assert again.obs["falcon_fine"].equals(coded.obs["falcon_fine"])


@pytest.mark.parametrize("missing", [True, False])
def test_numbers_by_the_values_of_the_column(coded: AnnData, missing: bool) -> None:
    """A column of ints is one of floats as soon as a cell has no label, and so are the keys made from it."""
    column = coded.obs["coarse"].astype(float)
    column[:5] = np.nan if missing else column[:5]
    coded.obs["coarse"] = column
    labels = read_labels(coded, "coarse", "coarse_key")
    expected = {0: 2, 1: 2, 2: 2}
    counts = coded.obs.groupby("coarse")["fine"].nunique()
    assert check_n_fine(dict.fromkeys(column.dropna().unique(), 2), None, labels, None) == expected
    assert check_n_fine(counts, None, labels, None) == expected
    assert (
        check_n_fine(counts.rename(index=str).rename(index=lambda key: key.removesuffix(".0")), None, labels, None)
        == expected
    )


def test_a_series_over_categories(cells: AnnData) -> None:
    labels = read_labels(cells, "coarse", "coarse_key")
    counts = cells.obs.groupby("coarse", observed=True)["fine"].nunique()
    assert isinstance(counts.index.dtype, pd.CategoricalDtype)
    assert check_n_fine(counts, None, labels, None) == {"B cell": 2, "CD4/CD8 T": 2, "µ glia": 2}
    assert check_n_fine(np.float64(counts.sum()), None, labels, None) == 6


def test_an_embedding_needs_no_genes(cells: AnnData, quick: dict[str, Any], tmp_path: Path) -> None:
    import anndata

    values = np.random.default_rng(0).normal(size=(240, 6)).astype(np.float32)
    values.setflags(write=False)
    bare = anndata.AnnData(obs=cells.obs, obsm={"X_rep": values})
    fsc.tl.discover(bare, "coarse", 6, use_rep="X_rep", save_model=tmp_path, **quick)
    assert bare.obs["falcon_fine"].notna().all()
    again = fsc.tl.predict(
        bare, fsc.Falcon.load(tmp_path, device="cpu"), use_rep="X_rep", coarse_key="coarse", copy=True
    )
    assert again.obs["falcon_fine"].equals(bare.obs["falcon_fine"])
    fsc.pp.neighbors_within(bare, "coarse", n_neighbors=5, use_rep="X_rep")
    fsc.tl.estimate_n_fine(bare, "coarse", use_rep="X_rep", max_per_class=2, progress_bar=False, n_jobs=1)
    assert {"falcon_n_fine", "falcon_neighbors"} <= set(bare.uns)
