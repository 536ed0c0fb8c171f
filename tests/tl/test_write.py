"""All slots or none."""

from __future__ import annotations

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
    assert list(cells.uns) == ["k"]
    assert "coarse_dataset" not in cells.uns["k"]
