"""Nothing is overwritten but what the same function wrote under the same key, and nothing that the call reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pytest

import falcon_sc as fsc
from falcon_sc import _written

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

ESTIMATE: dict[str, Any] = {"max_per_class": 2, "progress_bar": False, "n_jobs": 1}


@pytest.fixture
def embedded(cells: AnnData) -> AnnData:
    for name in ("X_rep", "X_pca", "X_scVI"):
        cells.obsm[name] = np.random.default_rng(0).normal(size=(240, 6)).astype(np.float32)
    return cells


@pytest.fixture
def found(embedded: AnnData, quick: dict[str, Any]) -> AnnData:
    """After a run of `discover`."""
    fsc.tl.discover(embedded, "coarse", 6, **quick)
    return embedded


def slots(adata: AnnData) -> set[tuple[str, str]]:
    return {(at, name) for at in ("obs", "obsm", "obsp", "uns", "var", "varm", "layers") for name in getattr(adata, at)}


READ = {
    "use_rep": ({"use_rep": "X_scVI", "key_added": "scVI"}, r"obsm\['X_scVI'\], which this call reads \(use_rep"),
    "its own embedding": ({"use_rep": "X_falcon"}, r"key_added='falcon' would overwrite adata.obsm\['X_falcon'\]"),
    "coarse_key": (
        {"coarse_key": "falcon_fine"},
        r"obs\['falcon_fine'\], .*\(coarse_key='falcon_fine'\): give another",
    ),
    "batch_key": ({"batch_key": "falcon_fine"}, r"\(batch_key='falcon_fine'\)"),
    "dataset_key": ({"dataset_key": "falcon_fine"}, r"\(dataset_key='falcon_fine'\)"),
}


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("copy", [False, True])
def test_what_is_read_is_not_overwritten(found: AnnData, quick, fingerprint, name: str, copy: bool) -> None:
    options, message = READ[name]
    before = fingerprint(found)
    with pytest.raises(ValueError, match=message):
        fsc.tl.discover(found, **({"coarse_key": "coarse", "n_fine": 12, "copy": copy} | quick | options))
    assert fingerprint(found) == before


@pytest.mark.parametrize(
    ("attribute", "name", "key"),
    [
        ("obsm", "X_pca", "pca"),
        ("uns", "neighbors", "neighbors"),
        ("uns", "falcon", "falcon"),
        ("obs", "falcon_fine", "falcon"),
        ("obsm", "falcon_proba", "falcon"),
        ("var", "falcon_highly_variable", "falcon"),
    ],
)
def test_what_others_wrote_is_not_overwritten(
    embedded: AnnData, quick, fingerprint, attribute: str, name: str, key: str
) -> None:
    theirs = {"obs": embedded.obs["fine"], "obsm": np.ones((240, 2)), "uns": {"params": {}}, "var": True}
    getattr(embedded, attribute)[name] = theirs[attribute]
    before = fingerprint(embedded)
    place = rf"key_added='{key}' would overwrite adata\.{attribute}\['{name}'\], which falcon_sc did not write"
    with pytest.raises(ValueError, match=place):
        fsc.tl.discover(embedded, "coarse", 6, key_added=key, **quick)
    assert fingerprint(embedded) == before


def test_nor_by_the_other_functions(found: AnnData, fingerprint) -> None:
    found.var["highly_variable"] = True
    found.uns["neighbors"] = {"connectivities_key": "connectivities", "params": {"n_neighbors": 15}}
    found.obsp["mine_distances"] = found.obsp["c_distances"] = np.eye(240)
    before = fingerprint(found)
    results = "which holds results of falcon_sc.tl.discover or falcon_sc.tl.predict"
    with pytest.raises(ValueError, match=results):
        fsc.tl.estimate_n_fine(found, "coarse", key_added="falcon", **ESTIMATE)
    with pytest.raises(ValueError, match=results):
        fsc.pp.neighbors_within(found, "coarse", key_added="falcon")
    with pytest.raises(ValueError, match=results):
        fsc.pp.select_genes(found, key_added="falcon")
    with pytest.raises(ValueError, match=r"adata\.var\['highly_variable'\], which falcon_sc did not write"):
        fsc.pp.select_genes(found, key_added="highly_variable")
    for key in ("neighbors", "mine"):
        with pytest.raises(ValueError, match="which falcon_sc did not write"):
            fsc.pp.neighbors_within(found, "coarse", key_added=key, use_rep="X_rep")
    assert fingerprint(found) == before


@pytest.mark.parametrize("way", ["again", "subset", "h5ad", "zarr", "colors", "concat"])
def test_a_later_run_replaces_its_own_results(found: AnnData, quick, tmp_path: Path, way: str) -> None:
    match way:
        case "subset":
            found = found[20:].copy()
        case "h5ad" | "zarr":
            getattr(found, f"write_{way}")(tmp_path / "x")
            found = getattr(anndata, f"read_{way}")(tmp_path / "x")
        case "colors":
            found.uns["falcon_fine_colors"] = ["#123456"] * 6
        case "concat":
            found = anndata.concat([found[:100], found[100:]], merge="same")
            assert "falcon" not in found.uns
    fsc.tl.discover(found, "coarse", 7, **quick)
    assert found.uns["falcon"]["M"].shape == (7, 3)
    assert len(found.uns["falcon_fine_colors"]) == len(found.obs["falcon_fine"].cat.categories)
    assert "#123456" not in found.uns["falcon_fine_colors"]


def test_the_other_functions_replace_their_own_results(embedded: AnnData, tmp_path: Path) -> None:
    for _ in range(2):
        fsc.pp.select_genes(embedded, n_top_genes=50, key_added="hvg")
        fsc.pp.neighbors_within(embedded, "coarse", n_neighbors=5, use_rep="X_rep", key_added="graph")
        embedded.uns["numbers"] = {"stable": 1, "params": {"falcon_sc": "0.1"}}  # as `estimate_n_fine` leaves it
        _written.check_free(embedded, "numbers", _written.NUMBERS)
        embedded.write_h5ad(tmp_path / "x.h5ad")
        embedded = anndata.read_h5ad(tmp_path / "x.h5ad")
    assert embedded.uns["hvg"]["n_genes"] == 50
    assert embedded.uns["graph"]["params"]["falcon_sc"] == fsc.__version__


def test_the_mark_of_genes_is_shared(embedded: AnnData, quick) -> None:
    fsc.pp.select_genes(embedded, n_top_genes=30)
    fsc.tl.discover(embedded, "coarse", 6, use_rep="X_rep", **quick)
    assert embedded.var["falcon_highly_variable"].sum() == 30, "the selection stays where no genes are used"
    fsc.tl.discover(embedded, "coarse", 6, n_top_genes=40, **quick)
    assert embedded.var["falcon_highly_variable"].sum() == 40
    assert "falcon_highly_variable" not in embedded.uns
    fsc.pp.select_genes(embedded, n_top_genes=20)
    assert embedded.var["falcon_highly_variable"].sum() == 20


def test_a_mark_by_hand_stays_where_no_genes_are_used(embedded: AnnData, quick) -> None:
    embedded.var["falcon_highly_variable"] = True
    fsc.tl.discover(embedded, "coarse", 6, use_rep="X_rep", **quick)
    assert embedded.var["falcon_highly_variable"].all()


def test_every_slot_is_in_the_table(embedded: AnnData, quick) -> None:
    before = slots(embedded)
    fsc.tl.discover(embedded, "coarse", 6, key_added="k", **quick)
    new = slots(embedded)
    assert new - before <= set(_written.CLASSES.under("k"))
    fsc.pp.select_genes(embedded, n_top_genes=50, key_added="g")
    fsc.pp.neighbors_within(embedded, "coarse", n_neighbors=5, use_rep="X_rep", key_added="n")
    assert slots(embedded) - new == set(_written.GENES.under("g") + _written.GRAPH.under("n"))
