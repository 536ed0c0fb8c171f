from __future__ import annotations

import logging
from importlib.metadata import version
from typing import TYPE_CHECKING

import anndata
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import falcon_sc as fsc

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

SLOTS = ("falcon_fine", "falcon_confidence", "falcon_proba", "X_falcon")


@pytest.fixture(scope="module")
def found(planted: AnnData) -> AnnData:
    """The result of a whole run at the default setting."""
    return fsc.tl.discover(planted, "coarse", 6, progress_bar=False, device="cpu", copy=True)


def test_planted_classes_are_found(found: AnnData) -> None:
    assert fsc.metrics.clustering_accuracy(found.obs["fine"], found.obs["falcon_fine"]) > 0.9


def test_slots(found: AnnData, planted: AnnData) -> None:
    fine, about = found.obs["falcon_fine"], found.uns["falcon"]
    of_tree = {"falcon_leaf", "falcon_agreement"}
    assert set(found.obs) - set(planted.obs) == {"falcon_fine", "falcon_confidence"} | of_tree
    assert set(found.obsm) == {"falcon_proba", "X_falcon", "falcon_leaf_proba"}
    assert set(found.uns) == {"falcon", "falcon_fine_colors"}
    assert set(found.var) == {"falcon_highly_variable"}
    assert found.var["falcon_highly_variable"].dtype == bool
    assert set(about) == {"M", "fine_names", "coarse_names", "params", "history", "tree"}

    names = [f"{coarse}:{i}" for coarse in ("B cell", "CD4/CD8 T", "µ glia") for i in range(2)]
    assert fine.cat.categories.tolist() == names
    assert not fine.cat.ordered
    assert about["fine_names"].tolist() == names
    assert about["coarse_names"].tolist() == ["B cell", "CD4/CD8 T", "µ glia"]
    assert about["M"].dtype == np.uint8
    np.testing.assert_array_equal(about["M"], np.repeat(np.eye(3), 2, axis=0))

    proba, confidence = found.obsm["falcon_proba"], found.obs["falcon_confidence"]
    assert (proba.dtype, proba.shape) == (np.float32, (240, 6))
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
    assert confidence.dtype == np.float32
    np.testing.assert_array_equal(proba.argmax(axis=1), fine.cat.codes)
    assert confidence.between(0, 1).all()
    # one temperature gives the probabilities the certainty of the clusterings
    assert proba.max(axis=1).mean() == pytest.approx(found.obs["falcon_agreement"].mean(), abs=0.01)
    assert (found.obsm["X_falcon"].dtype, found.obsm["X_falcon"].shape) == (np.float32, (240, 128))


def test_fine_classes_lie_in_the_coarse_class_of_the_cell(found: AnnData) -> None:
    parent = found.obs["falcon_fine"].astype(str).str.rpartition(":")[0]
    np.testing.assert_array_equal(parent, found.obs["coarse"].astype(str))


def test_fine_classes_are_numbered_by_falling_size(found: AnnData) -> None:
    sizes = found.obs["falcon_fine"].value_counts(sort=False)
    for coarse in found.uns["falcon"]["coarse_names"]:
        assert sizes[f"{coarse}:0"] >= sizes[f"{coarse}:1"]


def test_params_and_history(found: AnnData) -> None:
    params, history = found.uns["falcon"]["params"], found.uns["falcon"]["history"]
    expected = {
        "coarse_key": "coarse", "n_fine": 6, "seed": 0, "device": "cpu", "relation_solver": "flow",
        "assumed": "counts", "n_neighbors": 20, "falcon_sc": fsc.__version__, "anndata": version("anndata"),
    }  # fmt: skip
    assert expected.items() <= params.items()
    assert {type(value) for value in params.values()} <= {str, int, float, bool}
    assert len({len(series) for series in history.values()}) == 1
    assert {series.ndim for series in history.values()} == {1}
    assert {"epoch", "iteration", "loss", "n_used", "relation_updates", "relation_changes"} <= set(history)


@pytest.mark.parametrize("suffix", ["h5ad", "zarr"])
@pytest.mark.parametrize("labels", [str, int])
def test_round_trip(cells: AnnData, quick, tmp_path: Path, suffix: str, labels: type) -> None:
    if labels is int:
        cells.obs["coarse"] = cells.obs["coarse"].cat.codes.astype(int) * 9  # 0, 9, 18
    fsc.tl.discover(cells, "coarse", 6, **quick)
    getattr(cells, f"write_{suffix}")(tmp_path / f"cells.{suffix}")
    back = getattr(anndata, f"read_{suffix}")(tmp_path / f"cells.{suffix}")
    pd.testing.assert_series_equal(back.obs["falcon_fine"].astype(object), cells.obs["falcon_fine"].astype(object))
    assert back.obs["falcon_fine"].cat.categories.tolist() == cells.obs["falcon_fine"].cat.categories.tolist()
    for slot in ("falcon_proba", "X_falcon"):
        np.testing.assert_array_equal(back.obsm[slot], cells.obsm[slot])
    for name in ("M", "fine_names", "coarse_names"):
        np.testing.assert_array_equal(back.uns["falcon"][name], cells.uns["falcon"][name])
    assert back.uns["falcon"]["params"] == cells.uns["falcon"]["params"]
    for name, series in cells.uns["falcon"]["history"].items():
        np.testing.assert_array_equal(back.uns["falcon"]["history"][name], series)
    fsc.pl.relation(back)


def test_numbers_as_coarse_labels(cells: AnnData, quick) -> None:
    cells.obs["coarse"] = pd.Categorical(cells.obs["coarse"].cat.codes * 5 + 2, categories=[12, 7, 2])  # 2, 7, 12
    quick.pop("config")
    fsc.tl.discover(cells, "coarse", {2: 2, "7": 1, 12: 3}, **quick)
    assert cells.obs["falcon_fine"].cat.categories.tolist() == ["2:0", "2:1", "7:0", "12:0", "12:1", "12:2"]
    assert cells.uns["falcon"]["coarse_names"].tolist() == ["2", "7", "12"]


def test_seed(cells: AnnData, quick) -> None:
    first, again = (fsc.tl.discover(cells, "coarse", 6, rng=3, copy=True, **quick) for _ in range(2))
    other = fsc.tl.discover(cells, "coarse", 6, rng=4, copy=True, **quick)
    assert first.obs["falcon_fine"].equals(again.obs["falcon_fine"])
    np.testing.assert_array_equal(first.obsm["falcon_proba"], again.obsm["falcon_proba"])
    assert (first.obsm["falcon_proba"] != other.obsm["falcon_proba"]).any()
    generator = fsc.tl.discover(cells, "coarse", 6, rng=np.random.default_rng(3), copy=True, **quick)
    assert "seed" not in generator.uns["falcon"]["params"]


@pytest.mark.parametrize("flavor", [np.asarray, sparse.csc_matrix, sparse.csr_array])
def test_dense_and_sparse_agree(cells: AnnData, quick, flavor) -> None:
    other = cells.copy()
    other.X = flavor(cells.X.toarray() if flavor is np.asarray else cells.X)
    fsc.tl.discover(cells, "coarse", 6, n_top_genes=50, **quick)
    fsc.tl.discover(other, "coarse", 6, n_top_genes=50, **quick)
    assert cells.obs["falcon_fine"].equals(other.obs["falcon_fine"])
    np.testing.assert_array_equal(cells.obsm["falcon_proba"], other.obsm["falcon_proba"])


def test_copy(cells: AnnData, quick, fingerprint: Callable[[AnnData], bytes]) -> None:
    before = fingerprint(cells)
    result = fsc.tl.discover(cells, "coarse", 6, copy=True, **quick)
    assert fingerprint(cells) == before
    assert fsc.tl.discover(cells, "coarse", 6, **quick) is None
    assert fingerprint(cells) == fingerprint(result)


def test_copy_of_a_view(cells: AnnData, quick, fingerprint) -> None:
    before = fingerprint(cells)
    result = fsc.tl.discover(cells[::2], "coarse", 6, copy=True, **quick)
    assert fingerprint(cells) == before
    assert not result.is_view
    assert result.obs["falcon_fine"].notna().all()


def test_nothing_else_is_changed(cells: AnnData, quick) -> None:
    before = cells.copy()
    fsc.tl.discover(cells, "coarse", 6, n_top_genes=50, **quick)
    assert (cells.X != before.X).nnz == 0
    pd.testing.assert_frame_equal(cells.obs[before.obs.columns], before.obs)


def test_cells_without_label(cells: AnnData, quick) -> None:
    some = cells[20:].copy()
    cells.obs.loc[cells.obs_names[:20], "coarse"] = None
    with pytest.warns(UserWarning, match=r"coarse_key='coarse' is missing \(NA\) for 20 of 240 cells"):
        fsc.tl.discover(cells, "coarse", 6, n_top_genes=50, **quick)
    assert cells.obs["falcon_fine"].isna().tolist() == [True] * 20 + [False] * 220
    assert cells.obs["falcon_confidence"].isna().tolist() == [True] * 20 + [False] * 220
    np.testing.assert_allclose(cells.obsm["falcon_proba"].sum(axis=1), 1, atol=1e-6)
    assert np.isfinite(cells.obsm["X_falcon"]).all()
    fsc.tl.discover(some, "coarse", 6, n_top_genes=50, **quick)  # as if those cells did not exist
    assert some.obs["falcon_fine"].equals(cells.obs["falcon_fine"][20:])
    np.testing.assert_array_equal(cells.var["falcon_highly_variable"], some.var["falcon_highly_variable"])


def test_unused_categories(cells: AnnData, quick) -> None:
    plain = cells.copy()
    cells.obs["coarse"] = cells.obs["coarse"].cat.add_categories(["A ghost"])
    for adata in (cells, plain):
        fsc.tl.discover(adata, "coarse", 6, **quick)
    assert cells.obs["falcon_fine"].equals(plain.obs["falcon_fine"])
    assert cells.uns["falcon"]["M"].shape == (6, 3)


def test_a_later_run_leaves_nothing_of_the_earlier(cells: AnnData, quick) -> None:
    cells.obsm["X_rep"] = np.random.default_rng(0).normal(size=(240, 10))
    fsc.tl.discover(cells, "coarse", 6, **quick)
    cells.uns["falcon_fine_colors"] = ["#000000"] * 6
    cells.uns["falcon"]["stale"] = 1
    fsc.tl.discover(cells, "coarse", 7, use_rep="X_rep", **quick)
    assert "#000000" not in cells.uns["falcon_fine_colors"]
    assert len(cells.uns["falcon_fine_colors"]) == len(cells.obs["falcon_fine"].cat.categories)
    assert "stale" not in cells.uns["falcon"]
    assert "falcon_highly_variable" not in cells.var
    assert cells.obsm["falcon_proba"].shape == (240, 7)
    assert cells.uns["falcon"]["params"]["use_rep"] == "X_rep"


def test_key_added(cells: AnnData, quick) -> None:
    fsc.tl.discover(cells, "coarse", 6, key_added="sub", **quick)
    assert {"sub_fine", "sub_confidence"} <= set(cells.obs)
    assert set(cells.obsm) == {"sub_proba", "X_sub"}
    assert set(cells.uns) == {"sub", "sub_fine_colors"}
    assert "sub_highly_variable" in cells.var


def test_number_for_each_class(cells: AnnData) -> None:
    fsc.tl.discover(cells, "coarse", {"CD4/CD8 T": 3, "B cell": 1, "µ glia": np.int64(2)}, max_epochs=2,
                    progress_bar=False)  # fmt: skip
    np.testing.assert_array_equal(cells.uns["falcon"]["M"].sum(axis=0), [1, 3, 2])
    assert (cells.obs.loc[cells.obs["coarse"] == "B cell", "falcon_fine"] == "B cell:0").all()


def test_several_data_sets(cells: AnnData, quick) -> None:
    lab = np.where(np.arange(240) % 2, "lab 2", "lab 1")
    first = cells.obs["coarse"].astype(str)
    second = np.where(first == "µ glia", "µ glia", "lymphoid")
    cells.obs["lab"], cells.obs["mixed"] = lab, np.where(lab == "lab 1", first, second)
    fsc.tl.discover(cells, "mixed", 6, dataset_key="lab", **quick)
    about = cells.uns["falcon"]
    assert about["coarse_names"].tolist() == ["B cell", "CD4/CD8 T", "µ glia", "lymphoid", "µ glia"]
    assert about["coarse_dataset"].tolist() == ["lab 1"] * 3 + ["lab 2"] * 2
    np.testing.assert_array_equal(about["M"][:, :3].sum(axis=1), 1)
    np.testing.assert_array_equal(about["M"][:, 3:].sum(axis=1), 1)
    for name, row in zip(about["fine_names"], about["M"], strict=True):
        parents = dict.fromkeys(about["coarse_names"][row == 1].tolist())
        assert name.rpartition(":")[0] == "|".join(parents)
    assert len(set(about["fine_names"])) == 6


def test_small_classes_are_named(cells: AnnData, quick, caplog: pytest.LogCaptureFixture) -> None:
    cells = cells[np.r_[np.flatnonzero(cells.obs["coarse"] == "B cell")[:9], 100:240]].copy()
    cells = cells[~((cells.obs["coarse"] == "B cell") & (np.arange(cells.n_obs) >= 9))].copy()
    with caplog.at_level(logging.INFO, "falcon_sc"):
        fsc.tl.discover(cells, "coarse", 6, **quick)
    assert "too few cells for n_neighbors=20 repeat theirs: {'B cell': 9}" in caplog.text
    assert "adata.X: taken for raw counts" in caplog.text


def test_keywords_replace_the_configuration(cells: AnnData, quick) -> None:
    config = fsc.FalconConfig(
        start="random", n_neighbors=9, n_neighbors_per_step=5, max_epochs=50, lr=0.01, batch_size=64
    )
    quick |= {"config": config}
    fsc.tl.discover(cells, "coarse", 6, lr=0.5, **quick)
    params = cells.uns["falcon"]["params"]
    assert (params["n_neighbors"], params["max_epochs"], params["batch_size"], params["lr"]) == (9, 2, 64, 0.5)
    fsc.tl.discover(cells, "coarse", 6, n_neighbors=3, batch_size=32, **quick)
    params = cells.uns["falcon"]["params"]
    assert (params["n_neighbors"], params["n_neighbors_per_step"], params["batch_size"]) == (3, 3, 32)


def test_keywords_win_with_the_values_of_the_defaults_too(cells: AnnData, quick) -> None:
    quick |= {"config": fsc.FalconConfig(start="random", n_neighbors=30, relation_solver="gurobi")}
    fsc.tl.discover(cells, "coarse", 6, n_neighbors=20, relation_solver="auto", n_jobs=1, **quick)
    params = cells.uns["falcon"]["params"]
    assert params["n_neighbors"] == 20
    assert params["relation_solver"] == "flow"
    assert params["n_jobs"] == 1


def test_numbers_for_each_class_with_a_random_start(cells: AnnData, quick) -> None:
    """Table O1 of the paper: the relation is known, and training does not change it."""
    fsc.tl.discover(cells, "coarse", {"CD4/CD8 T": 3, "B cell": 1, "µ glia": 2}, **quick)
    np.testing.assert_array_equal(cells.uns["falcon"]["M"].sum(axis=0), [1, 3, 2])


def test_cells_without_label_and_new_cells_are_inferred_once(cells: AnnData, quick, monkeypatch, tmp_path) -> None:
    from falcon_sc.core.state.fitted import Fitted

    seen: list[int] = []
    embed = Fitted.embed

    def counted(self, Z):
        hidden = embed(self, Z)
        seen.append(len(hidden))
        return hidden

    monkeypatch.setattr(Fitted, "embed", counted)
    cells.obs.loc[cells.obs_names[:40], "coarse"] = None
    with pytest.warns(UserWarning, match="missing"):
        fsc.tl.discover(cells, "coarse", 6, save_model=tmp_path / "model", **quick)
    assert seen == [200, 40]
    fsc.tl.predict(cells, fsc.Falcon.load(tmp_path / "model", device="cpu"))
    assert seen == [200, 40, 240]


@pytest.mark.parametrize("flavor", [np.asarray, sparse.csr_matrix])
def test_continuous_values_are_used_like_an_embedding(cells: AnnData, quick, flavor) -> None:
    scores = cells.X.toarray()
    scores = ((scores - scores.mean(axis=0)) / scores.std(axis=0)).astype(np.float32)
    scores *= np.where(np.arange(160) < 40, 2, 1)
    cells.layers["z"], cells.obsm["X_z"] = flavor(scores), scores[:, :40]
    fsc.tl.discover(cells, "coarse", 6, layer="z", values="continuous", n_top_genes=40, **quick)
    assert cells.uns["falcon"]["params"]["assumed"] == "continuous"
    np.testing.assert_array_equal(cells.var["falcon_highly_variable"], np.arange(160) < 40)
    fsc.tl.discover(cells, "coarse", 6, use_rep="X_z", key_added="rep", **quick)
    np.testing.assert_array_equal(cells.obsm["falcon_proba"], cells.obsm["rep_proba"])


@pytest.mark.parametrize(("n_columns", "is_panel"), [(90, True), (120, False)])
def test_that_columns_were_taken_for_a_panel_stands_beside_the_results(
    cells: AnnData, quick, tmp_path: Path, n_columns: int, *, is_panel: bool
) -> None:
    panel = cells[:, :n_columns].copy()
    panel.X = np.sqrt(panel.X.toarray())
    fsc.tl.discover(panel, "coarse", 6, values="continuous", output=tmp_path / "panel.h5ad", **quick)
    assert bool(anndata.read_h5ad(tmp_path / "panel.h5ad").uns["falcon"]["params"]["panel"]) is is_panel


def test_corrected_counts_that_are_stated(cells: AnnData, quick) -> None:
    """They have counts for the choice of genes, which scanpy would warn about, and for the start."""
    cells.X = cells.X.multiply(np.random.default_rng(0).uniform(0.6, 1, cells.shape)).tocsr()
    fsc.tl.discover(cells, "coarse", 6, values="counts", n_top_genes=80, **quick)
    assert cells.uns["falcon"]["params"]["assumed"] == cells.uns["falcon"]["params"]["values"] == "counts"


def test_resumes_from_a_checkpoint(cells: AnnData, quick, tmp_path: Path, interrupted, caplog) -> None:
    plain = fsc.tl.discover(cells, "coarse", 6, copy=True, **quick)
    with interrupted():
        fsc.tl.discover(cells, "coarse", 6, checkpoint=tmp_path / "state", **quick)
    with caplog.at_level(logging.INFO, "falcon_sc"):
        fsc.tl.discover(cells, "coarse", 6, checkpoint=tmp_path / "state", **quick)
    assert "resuming after epoch 1 of 2" in caplog.text
    assert plain.obs["falcon_fine"].equals(cells.obs["falcon_fine"])


def test_a_view_becomes_an_object_of_its_own(cells: AnnData, quick, fingerprint, tmp_path: Path) -> None:
    before, part = fingerprint(cells), cells[::2]
    fsc.tl.discover(part, "coarse", 6, save_model=tmp_path, **quick)
    assert not part.is_view
    assert part.obs["falcon_fine"].notna().all()
    new = cells[1::2]
    fsc.tl.predict(new, fsc.Falcon.load(tmp_path, device="cpu"))
    assert new.obs["falcon_fine"].notna().all()
    classes = part[part.obs["coarse"] == "B cell"]
    fsc.tl.rename(classes, {"B cell:0": "B"})
    assert "B" in classes.uns["falcon"]["fine_names"]
    assert "B" not in part.uns["falcon"]["fine_names"]
    assert fingerprint(cells) == before


@pytest.mark.parametrize("n_fine", [2, 1, {"CD4/CD8 T": 2}, "auto"])
def test_one_coarse_class(planted: AnnData, tmp_path: Path, n_fine) -> None:
    """Of a person who has only T cells."""
    cells = planted[planted.obs["coarse"] == "CD4/CD8 T"].copy()
    known, new = cells[:50].copy(), cells[50:].copy()
    fsc.tl.discover(known, "coarse", n_fine, max_epochs=20, save_model=tmp_path, progress_bar=False, device="cpu")
    assert known.uns["falcon"]["M"].shape == (known.uns["falcon"]["params"]["n_fine"], 1)
    fsc.tl.predict(new, fsc.Falcon.load(tmp_path, device="cpu"))
    if n_fine == 2 or isinstance(n_fine, dict):
        for part in (known, new):
            assert fsc.metrics.clustering_accuracy(part.obs["fine"], part.obs["falcon_fine"]) > 0.9
            assert set(fsc.tl.markers(part)["against"]) == {"siblings", "all"}
    mpl.use("agg")
    for draw in (fsc.pl.relation, fsc.pl.confident, fsc.pl.history):
        draw(known)
        draw(new)
    fsc.tl.estimate_n_fine(known, "coarse", max_per_class=3, progress_bar=False)
    fsc.pl.n_fine(known)
    mpl.pyplot.close("all")


@pytest.mark.parametrize("size", [1, 2])
def test_a_class_of_one_or_two_cells_stays_one_fine_class(cells: AnnData, size: int) -> None:
    coarse = cells.obs["coarse"].astype(str).to_numpy()
    cells.obs["coarse"] = np.where(np.arange(240) < size, "rare", coarse)
    for n_fine in (9, {"B cell": 2, "CD4/CD8 T": 2, "µ glia": 2, "rare": 1}):
        with pytest.warns(UserWarning, match="classes of one or two cells, each of which stays one fine class: 'rare'"):
            fsc.tl.discover(cells, "coarse", n_fine, max_epochs=5, progress_bar=False, device="cpu")
        assert (cells.obs["falcon_fine"][:size] == "rare:0").all()
        assert (cells.obs["falcon_fine"] == "rare:0").sum() == size
    with pytest.raises(
        ValueError, match="a coarse class of one or two members stays one fine class" if size > 1 else "larger"
    ):
        fsc.tl.discover(cells, "coarse", 240 if size > 1 else 241, max_epochs=5, progress_bar=False, device="cpu")


def test_fixed_numbers_are_those_of_the_result(cells: AnnData) -> None:
    names = sorted(cells.obs["coarse"].astype(str).unique())
    fsc.tl.discover(cells, "coarse", 8, fixed={names[0]: 4}, max_epochs=2, progress_bar=False, device="cpu")
    relation = cells.uns["falcon"]["M"]
    column = list(cells.uns["falcon"]["coarse_names"]).index(names[0])
    assert relation[:, column].sum() == 4
    assert relation.sum() == 8
    inside = cells.obs["coarse"].astype(str) == names[0]
    assert cells.obs.loc[inside, "falcon_fine"].nunique() == 4
