from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pytest
from scipy import sparse

import falcon_sc as fsc

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

QUICK: dict[str, Any] = {"max_per_class": 4, "progress_bar": False, "n_jobs": 1}
KEYS = {"coarse_names", "sizes", "stable", "estimate", "support", "params"}


def same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return first["params"] == second["params"] and all(
        np.array_equal(first[key], second[key], equal_nan=key == "support") for key in KEYS - {"params"}
    )


@pytest.fixture(scope="module")
def estimated(planted: AnnData) -> AnnData:
    return fsc.tl.estimate_n_fine(planted, "coarse", copy=True, **QUICK)


@pytest.mark.parametrize(("coarse_of_fine", "numbers"), [("aabbcc", [2, 2, 2]), ("aaabcc", [3, 1, 2])])
def test_planted_numbers_are_found(cells: AnnData, coarse_of_fine: str, numbers: list[int]) -> None:
    cells.obs["coarse"] = np.array(list(coarse_of_fine))[cells.obs["fine"].astype(int)]
    fsc.tl.estimate_n_fine(cells, "coarse", **QUICK)
    found = cells.uns["falcon_n_fine"]
    np.testing.assert_array_equal(found["estimate"], numbers)
    assert (found["stable"] <= found["estimate"]).all()
    assert found["params"]["n_fine"] == found["estimate"].sum()


def test_slots(estimated: AnnData, planted: AnnData) -> None:
    found = estimated.uns["falcon_n_fine"]
    assert set(found) == KEYS
    assert set(estimated.uns) - set(planted.uns) == {"falcon_n_fine"}
    assert set(estimated.obs) == set(planted.obs)
    assert found["coarse_names"].tolist() == ["B cell", "CD4/CD8 T", "µ glia"]
    assert found["sizes"].tolist() == planted.obs["coarse"].value_counts(sort=False).tolist()
    assert found["support"].shape == (3, 3)  # leaves of the largest tree
    expected = {
        "coarse_key": "coarse", "assumed": "counts", "max_per_class": 4, "seed": 0, "falcon_sc": fsc.__version__,
        "n_fine_stable": found["stable"].sum(), "n_fine": found["estimate"].sum(),
    }  # fmt: skip
    assert expected.items() <= found["params"].items()
    assert {type(value) for value in found["params"].values()} <= {str, int, float, bool}


@pytest.mark.parametrize("suffix", ["h5ad", "zarr"])
def test_round_trip(estimated: AnnData, tmp_path: Path, suffix: str) -> None:
    getattr(estimated, f"write_{suffix}")(tmp_path / f"cells.{suffix}")
    back = getattr(anndata, f"read_{suffix}")(tmp_path / f"cells.{suffix}")
    assert same(back.uns["falcon_n_fine"], estimated.uns["falcon_n_fine"])
    fsc.pl.n_fine(back)


@pytest.mark.parametrize("flavor", [np.asarray, sparse.csc_matrix, sparse.csr_array])
def test_dense_and_sparse_agree(cells: AnnData, estimated: AnnData, flavor) -> None:
    cells.X = flavor(cells.X.toarray() if flavor is np.asarray else cells.X)
    fsc.tl.estimate_n_fine(cells, "coarse", **QUICK)
    assert same(cells.uns["falcon_n_fine"], estimated.uns["falcon_n_fine"])


def test_layer_embedding_and_batch(cells: AnnData, estimated: AnnData) -> None:
    cells.layers["counts"], cells.X = cells.X, -cells.X
    fsc.tl.estimate_n_fine(cells, "coarse", layer="counts", **QUICK)
    np.testing.assert_array_equal(cells.uns["falcon_n_fine"]["support"], estimated.uns["falcon_n_fine"]["support"])
    fsc.tl.estimate_n_fine(cells, "coarse", layer="counts", batch_key="donor", key_added="donors", **QUICK)
    assert not same(cells.uns["donors"], estimated.uns["falcon_n_fine"])
    assert cells.uns["donors"]["params"]["batch_key"] == "donor"
    centered = np.log1p(cells.layers["counts"].toarray())
    cells.obsm["X_rep"] = np.linalg.svd(centered - centered.mean(axis=0), full_matrices=False)[0][
        :, :5
    ]  # six planted types span five
    fsc.tl.estimate_n_fine(cells, "coarse", use_rep="X_rep", key_added="rep", **QUICK)
    assert cells.uns["rep"]["params"]["assumed"] == "embedding adata.obsm['X_rep']"
    np.testing.assert_array_equal(cells.uns["rep"]["estimate"], 2)


@pytest.mark.parametrize(("n_columns", "same"), [(120, True), (30, False)])
def test_continuous_values_are_used_like_an_embedding_and_few_of_them_like_a_panel(
    cells: AnnData, n_columns: int, *, same: bool
) -> None:
    logarithms = np.log1p(cells.X.toarray())[:, :n_columns]
    cells = cells[:, :n_columns].copy()
    cells.X = cells.obsm["X_same"] = logarithms - logarithms.mean(axis=0)
    fsc.tl.estimate_n_fine(cells, "coarse", values="continuous", **QUICK)
    fsc.tl.estimate_n_fine(cells, "coarse", use_rep="X_same", key_added="rep", **QUICK)
    assert cells.uns["falcon_n_fine"]["params"]["values"] == "continuous"
    assert cells.uns["falcon_n_fine"]["params"]["panel"] is not same
    assert cells.uns["rep"]["params"]["panel"] is False
    assert np.array_equal(cells.uns["falcon_n_fine"]["support"], cells.uns["rep"]["support"], equal_nan=True) == same


def test_cells_without_label_are_left_out(cells: AnnData) -> None:
    some = cells[20:].copy()
    cells.obs.loc[cells.obs_names[:20], "coarse"] = None
    with pytest.warns(UserWarning, match=r"missing \(NA\) for 20 of 240 cells: they have no say"):
        fsc.tl.estimate_n_fine(cells, "coarse", **QUICK)
    fsc.tl.estimate_n_fine(some, "coarse", **QUICK)
    assert same(cells.uns["falcon_n_fine"], some.uns["falcon_n_fine"])


def test_errors_of_numpy_that_somebody_switched_on(cells: AnnData, estimated: AnnData) -> None:
    with np.errstate(all="raise"):
        fsc.tl.estimate_n_fine(cells, "coarse", **QUICK)
    assert same(cells.uns["falcon_n_fine"], estimated.uns["falcon_n_fine"])


def test_copy_and_seed(cells: AnnData, estimated: AnnData, fingerprint) -> None:
    before = fingerprint(cells)
    other = fsc.tl.estimate_n_fine(cells, "coarse", rng=np.random.default_rng(5), copy=True, **QUICK)
    assert fingerprint(cells) == before
    assert "seed" not in other.uns["falcon_n_fine"]["params"]
    assert not same(other.uns["falcon_n_fine"], estimated.uns["falcon_n_fine"])
    assert fsc.tl.estimate_n_fine(cells, "coarse", **QUICK) is None
    assert same(cells.uns["falcon_n_fine"], estimated.uns["falcon_n_fine"])


MISTAKES: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "coarse_key": ({"coarse_key": "celltype"}, KeyError, "coarse_key='celltype' is not a column of adata.obs"),
    "max_per_class": ({"max_per_class": 0}, ValueError, "max_per_class must be at least 1, found 0"),
    "no threads": ({"n_jobs": 0}, ValueError, "n_jobs=0 leaves no core"),
    "half a thread": ({"n_jobs": 1.5}, TypeError, "n_jobs must be an int"),
    "float": ({"max_per_class": 2.0}, TypeError, "max_per_class must be an int"),
    "layer": ({"layer": "raw"}, KeyError, "layer='raw' is not in adata.layers"),
    "use_rep": ({"use_rep": "X_scvi"}, KeyError, "use_rep='X_scvi' is not in adata.obsm"),
    "both": ({"layer": "raw", "use_rep": "X_scvi"}, ValueError, "were both given: choose one"),
    "values": ({"values": "counts", "use_rep": "X_scvi"}, ValueError, "values='counts' were both given"),
    "batch_key": ({"batch_key": "lane"}, KeyError, "batch_key='lane' is not a column"),
    "rng": ({"rng": "zero"}, TypeError, "rng must be an int"),
    "key_added": ({"key_added": "a/b"}, ValueError, "key_added must be a non-empty string without '/'"),
    "negative": ({"layer": "scaled"}, ValueError, "'scaled'.* holds negative values"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(cells: AnnData, fingerprint, mistake: str) -> None:
    cells.layers["scaled"] = cells.X.toarray() - 1
    options, error, message = MISTAKES[mistake]
    before = fingerprint(cells)
    with pytest.raises(error, match=message):
        fsc.tl.estimate_n_fine(cells, **({"coarse_key": "coarse"} | QUICK | options))
    assert fingerprint(cells) == before


def test_discover_takes_the_numbers(cells: AnnData, quick, caplog: pytest.LogCaptureFixture) -> None:
    cells = cells[:120].copy()
    with caplog.at_level(logging.INFO, "falcon_sc"):
        fsc.tl.discover(cells, "coarse", "auto", rng=2, **quick)
    fsc.tl.estimate_n_fine(cells, "coarse", rng=2, progress_bar=False)
    expected, params = cells.uns["falcon_n_fine"]["params"], cells.uns["falcon"]["params"]
    for name in ("n_fine", "n_fine_stable"):
        assert params[name] == expected[name]
    assert len(cells.uns["falcon"]["fine_names"]) == expected["n_fine"]
    np.testing.assert_array_equal(cells.uns["falcon"]["M"].sum(axis=0), cells.uns["falcon_n_fine"]["estimate"])
    assert f"fine classes: {expected['n_fine']} that supported splits make" in caplog.text


def test_auto_needs_one_data_set(cells: AnnData, quick, fingerprint) -> None:
    before = fingerprint(cells)
    with pytest.raises(ValueError, match="n_fine='auto' cannot be used with several data sets"):
        fsc.tl.discover(cells, "coarse", "auto", dataset_key="donor", **quick)
    assert fingerprint(cells) == before


def test_auto_goes_by_the_settings_of_the_start(quick: dict[str, Any]) -> None:
    """A tree that is learned from 60 cells has four leaves at most, one for each of the classes it goes through."""
    adata = fsc.datasets.pbmc68k_reduced()
    quick = quick | {"config": fsc.FalconConfig(start_max_cells=60, start_n_repeats=1, n_jobs=1)}
    fsc.tl.discover(adata, "coarse", "auto", rng=0, **quick)
    fsc.tl.estimate_n_fine(adata, "coarse", progress_bar=False, n_jobs=1)
    assert adata.uns["falcon"]["M"].sum(axis=0).max() <= 4 < adata.uns["falcon_n_fine"]["estimate"].max()
