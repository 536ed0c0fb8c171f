"""All slots or none."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

import falcon_sc as fsc
from falcon_sc.tl._write import Results, write

if TYPE_CHECKING:
    from anndata import AnnData


@pytest.fixture
def model(cells: AnnData) -> fsc.Falcon:
    config = fsc.FalconConfig(start="random", max_epochs=1)
    return fsc.Falcon(6, config, device="cpu").fit(cells.X, cells.obs["coarse"].astype(str).to_numpy())


@pytest.fixture
def results(model: fsc.Falcon) -> Results:
    return Results(
        model.labels_, model.proba_, model.confidence_, model.embedding_, np.ones(160, dtype=bool), {"n_fine": 6}
    )


@pytest.mark.parametrize("earlier", [False, True], ids=["first run", "over an earlier run"])
@pytest.mark.parametrize("broken", ["embedding", "genes"])
def test_a_failure_half_way_restores_everything(
    cells: AnnData, model: fsc.Falcon, results: Results, fingerprint, broken: str, earlier: bool
) -> None:
    if earlier:
        write(cells, "falcon", model, replace(results, params={"earlier": 1}))
        cells.uns["falcon_fine_colors"] = ["#123456"] * 6
    before = fingerprint(cells)
    wrong = {"embedding": results.embedding[:-1], "genes": results.genes[:-1]}
    with pytest.raises(ValueError, match=r"length|shape"):  # anndata or pandas notices, after other slots were written
        write(cells, "falcon", model, replace(results, **{broken: wrong[broken]}))
    assert fingerprint(cells) == before


def test_names_of_the_slots_follow_the_key(cells: AnnData, model: fsc.Falcon, results: Results) -> None:
    write(cells, "k", model, results)
    assert {"k_fine", "k_confidence"} <= set(cells.obs)
    assert set(cells.obsm) == {"k_proba", "X_k"}
    assert list(cells.uns) == ["k", "k_fine_colors"]
    assert "coarse_dataset" not in cells.uns["k"]


def test_only_classes_with_cells_are_categories(cells: AnnData, model: fsc.Falcon, results: Results) -> None:
    write(cells, "all", model, results)
    names = cells.uns["all"]["fine_names"]
    fine = np.where(np.arange(240) < 20, -1, np.array([5, 1])[np.arange(240) % 2])
    write(cells, "falcon", model, replace(results, fine=fine))
    assert cells.obs["falcon_fine"].cat.categories.tolist() == [names[1], names[5]]  # in the order of all
    assert cells.obs["falcon_fine"].isna().sum() == 20
    np.testing.assert_array_equal(cells.uns["falcon"]["fine_names"], names)


def test_a_class_of_one_cell_is_a_warning_at_the_line_of_the_user(
    cells: AnnData, model: fsc.Falcon, results: Results
) -> None:
    import scanpy as sc

    fine = np.where(np.arange(240) == 7, 3, np.array([5, 1])[np.arange(240) % 2])
    with warnings.catch_warnings(action="error"), pytest.raises(UserWarning, match="single cell"):
        write(cells, "falcon", model, replace(results, fine=fine))
    assert cells.obs["falcon_fine"].notna().all()  # where warnings are errors, what was computed is there
    with pytest.warns(UserWarning, match="fine classes with a single cell: '.*'. sc.tl.rank_genes_groups") as told:
        write(cells, "falcon", model, replace(results, fine=fine))
    assert [one.filename for one in told] == [__file__]
    sc.pp.log1p(cells)
    with pytest.raises(ValueError, match="only contain one sample"):
        sc.tl.rank_genes_groups(cells, "falcon_fine")
    several = cells.obs["falcon_fine"].value_counts().loc[lambda sizes: sizes > 1].index.tolist()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of the class left out, which has no variance
        sc.tl.rank_genes_groups(cells, "falcon_fine", groups=several)  # what the warning says
    assert sc.get.rank_genes_groups_df(cells, None)["scores"].notna().all()


@pytest.mark.parametrize("missing", [0, 20])
def test_scanpy_straight_after(cells: AnnData, model: fsc.Falcon, results: Results, missing: int) -> None:
    import scanpy as sc
    from matplotlib import pyplot as plt

    fine = np.where(np.arange(240) < missing, -1, np.array([5, 0, 2])[np.arange(240) % 3])
    write(cells, "falcon", model, replace(results, fine=fine))
    sc.pp.log1p(cells)
    plt.switch_backend("agg")
    sc.pl.dotplot(cells, ["gene0", "gene1"], "falcon_fine", show=False)
    sc.tl.rank_genes_groups(cells, "falcon_fine")
    sc.pl.rank_genes_groups_dotplot(cells, n_genes=2, dendrogram=False, show=False)
    assert sc.get.rank_genes_groups_df(cells, None)["group"].nunique() == 3
    plt.close("all")
