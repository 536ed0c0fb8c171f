from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from falcon_sc.baselines import SCVILeiden
from falcon_sc.benchmarks.paper import _atlas, _on_cells, pbmc
from falcon_sc.core.model import Falcon
from falcon_sc.datasets import simulate

if TYPE_CHECKING:
    from pathlib import Path

QUICK = ["upper bound", "SCAN-C", "SCGM", "FALCON (text)", "K-Means"]
BRIEF = _on_cells.Training(10, 0.03, scale=False)


def test_tables_stand_beside_the_paper_and_a_run_goes_on_where_it_was(tmp_path: Path, monkeypatch, capsys):
    table = pbmc.run(simulate=240, out=tmp_path, seeds=1, methods=QUICK, min_iterations=10, jobs=1)
    assert table["method"].tolist() == QUICK
    assert table["accuracy"].between(10, 100).all()
    assert table["ged"].notna().tolist() == [False, False, True, True, False]
    text = (tmp_path / "pbmc_tables.md").read_text(encoding="utf-8")
    assert "75.8 (T2), 74.2 ± 0.5 (H2)" in text
    assert "Measured on" in text
    assert "simulated, 240 cells. At least 10 iterations of all that trains" in text
    assert "a learning rate of 0.1, z-scores" in text
    assert (table["cpu_seconds"] > 0).all()
    started = []
    measure = pbmc._measure
    monkeypatch.setattr(pbmc, "_measure", lambda *what: started.append(what[2:]) or measure(*what))
    again = pbmc.run(simulate=240, out=tmp_path, seeds=2, methods=QUICK[1:2], min_iterations=10, jobs=1)
    assert started == [("SCAN-C", 1)]
    assert again["accuracy"].iloc[0] == pytest.approx(table["accuracy"].iloc[1])
    assert len(pd.read_csv(tmp_path / "pbmc.csv")) == 6
    pbmc.run(simulate=240, out=tmp_path, seeds=1, methods=["K-Means"], min_iterations=11, jobs=1)  # another setting
    assert started[1:] == [("K-Means", 0)]


def test_every_system_runs_on_the_same_cells():
    """Those that need UMAP or extras, and the longest one, have tests of their own."""
    atlas = _atlas.twin(240)
    for name in set(_on_cells.SYSTEMS) - {*QUICK, "GEORGE", "GEORGE (ours)", "Leiden", "falcon_sc", "scVI + Leiden"}:
        labels, relation = _on_cells.SYSTEMS[name](atlas, 0, BRIEF)
        assert len(labels) == len(atlas.fine), name
        assert relation is None or relation.shape == atlas.relation.shape


def test_scvi_gets_the_counts_of_the_same_genes(monkeypatch):
    given = []

    def fit(self, X, coarse):  # the training has tests of its own, and takes hundreds of epochs here
        given.append(X)
        self.labels_ = np.zeros(len(coarse), dtype=np.int64)
        return self

    monkeypatch.setattr(SCVILeiden, "fit", fit)
    atlas = _atlas.twin(240)
    assert len(_on_cells.SYSTEMS["scVI + Leiden"](atlas, 0, BRIEF).labels) == len(atlas.fine)
    assert given[0].shape == atlas.X.shape
    assert ((given[0] > 0) != (atlas.X > 0)).nnz == 0  # log1p keeps zeros
    assert set(_on_cells.SYSTEMS) - set(_on_cells.DEFAULTS) == {"scVI + Leiden"}


def test_an_atlas_is_filtered_and_normalized(tmp_path: Path):
    adata = simulate(300, 800, n_coarse=3, n_fine=6, mean_counts=4000, rng=0)
    adata.X = adata.X.multiply((np.arange(300) > 0)[:, None]).tocsr()  # an empty cell
    adata.obs = adata.obs.rename(columns={"coarse": "type", "fine": "state", "donor": "person"})
    adata.write_h5ad(tmp_path / "atlas.h5ad")
    atlas = _atlas.read(tmp_path / "atlas.h5ad", coarse_key="type", fine_key="state", donor_key="person")
    genes = np.asarray((adata.X > 0).sum(axis=1)).ravel()
    assert len(atlas.fine) == (genes >= 200).sum() < 300
    assert atlas.counts.obs.columns.tolist() == ["coarse"]  # no fine label goes with the counts
    assert atlas.X.shape == (len(atlas.fine), atlas.counts.n_vars)  # fewer than 2,000: all
    totals = np.asarray(atlas.X.expm1().sum(axis=1)).ravel()
    assert totals == pytest.approx(np.full(len(totals), 1e4), rel=1e-4)
    assert atlas.relation.sum(axis=1).tolist() == [1] * 6


@pytest.mark.parametrize(
    ("change", "keys", "error", "message"),
    [
        (lambda obs: obs, {"coarse_key": "gone"}, KeyError, "coarse_key='gone' is no column of obs"),
        (lambda obs: obs.assign(fine="x"), {}, ValueError, r"classes in several coarse ones: \['x'\]"),
        (
            lambda obs: obs.assign(donor=pd.Categorical([None] * 60, ["one"])),
            {},
            ValueError,
            "donor_key='donor' has 60 cells without a value",
        ),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, change, keys, error, message):
    adata = simulate(60, 50, n_coarse=2, n_fine=4, rng=0)
    adata.obs = change(adata.obs)
    adata.write_h5ad(tmp_path / "atlas.h5ad")
    columns = {"coarse_key": "coarse", "fine_key": "fine", "donor_key": "donor"} | keys
    with pytest.raises(error, match=message):
        _atlas.read(tmp_path / "atlas.h5ad", **columns)


def test_the_settings_of_the_paper_can_be_given_z_scores():
    atlas = _atlas.twin(240)
    scaled = _on_cells._input("paper", atlas, BRIEF._replace(scale=True))
    varies = atlas.X.toarray().std(axis=0) > 0
    assert varies.any()
    assert scaled[:, ~varies] == pytest.approx(0, abs=1e-3)
    kept = np.abs(scaled).max(axis=0) < 10  # not clipped
    assert scaled[:, varies & kept].mean(axis=0) == pytest.approx(0, abs=1e-4)
    assert scaled[:, varies & kept].std(axis=0) == pytest.approx(1, abs=1e-3)
    assert np.abs(scaled).max() == 10
    for preset, training in (("ours", BRIEF._replace(scale=True)), ("paper", BRIEF)):
        assert _on_cells._input(preset, atlas, training) is atlas.X


def test_an_unknown_method_is_named():
    with pytest.raises(ValueError, match=r"methods: \['KNN'\] are not among"):
        pbmc.run(methods=["KNN"])
    with pytest.raises(ValueError, match=r"lr=0 is no learning rate"):
        pbmc.run(lr=0)
    with pytest.raises(ValueError, match="jobs"):
        pbmc.run(jobs=0)


def test_the_twin_leaves_out_what_is_long(monkeypatch):
    asked = []

    def complete(path, setting, methods, *rest, **options):
        asked.append(list(methods))
        raise KeyboardInterrupt

    monkeypatch.setattr(pbmc, "complete", complete)  # all systems would take minutes
    with pytest.raises(KeyboardInterrupt):
        pbmc.run(simulate=240)
    assert set(_on_cells.DEFAULTS) - set(asked[0]) == {"SNCA (ours)", "GEORGE (ours)"}


def test_names_can_be_listed_with_commas():
    assert not any("," in name for name in _on_cells.SYSTEMS)


@pytest.mark.parametrize(("min_iterations", "n_epochs"), [(3, 10), (25, 25)])
def test_a_small_twin_gets_its_iterations(min_iterations, n_epochs, monkeypatch):
    atlas = _atlas.twin(240)  # one batch an epoch
    fitted = []
    fit = Falcon.fit
    monkeypatch.setattr(Falcon, "fit", lambda self, *data: fitted.append(self) or fit(self, *data))
    _on_cells.SYSTEMS["FALCON (published code)"](atlas, 0, _on_cells.Training(min_iterations, 0.07, scale=True))
    assert fitted[0].config.lr == 0.07
    assert fitted[0].history_["iteration"][-1] == n_epochs
