"""An hour of training is not lost because its model cannot be written."""

from __future__ import annotations

import pickle
import shutil
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
import pytest

import falcon_sc as fsc
from falcon_sc._output import OutputNotWrittenError
from falcon_sc._saving import ModelNotSavedError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


@pytest.mark.parametrize("name", ["weights.pt", "model.json"])
def test_a_file_that_cannot_be_written_is_known_before(
    cells: AnnData, quick, fingerprint, tmp_path, once_trained, name: str
) -> None:
    (tmp_path / name).mkdir()
    before = fingerprint(cells)
    with (
        once_trained(lambda: pytest.fail("trained")),
        pytest.raises(ValueError, match=f"save_model=.* holds a folder '{name}'"),
    ):
        fsc.tl.discover(cells, "coarse", 6, save_model=tmp_path, **quick)
    assert fingerprint(cells) == before


@pytest.mark.parametrize("name", ["run.json", "start.npz", "training.pt"])
def test_the_same_for_a_checkpoint(cells: AnnData, quick, tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match=f"checkpoint=.* holds a folder '{name}'"):
        fsc.tl.discover(cells, "coarse", 6, checkpoint=tmp_path, **quick)


@pytest.mark.parametrize(
    ("argument", "name"), [("save_model", "model.json"), ("save_model", "zarr.json"), ("checkpoint", "start/notes.txt"), ("checkpoint", ".zgroup")]
)  # fmt: skip
def test_a_folder_of_something_else_is_known_before(
    cells: AnnData, quick, fingerprint, tmp_path: Path, once_trained, argument: str, name: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("{}")
    before = fingerprint(cells)
    with (
        once_trained(lambda: pytest.fail("trained")),
        pytest.raises(ValueError, match=f"{argument}=.*: give another folder"),
    ):
        fsc.tl.discover(cells, "coarse", 6, **{argument: tmp_path}, **quick)
    assert fingerprint(cells) == before
    assert [path.name for path in tmp_path.iterdir()] == [name.partition("/")[0]]


@pytest.mark.parametrize("argument", ["save_model", "checkpoint"])
@pytest.mark.parametrize(
    ("folder", "output"), [("o.zarr", "o.zarr"), ("o.zarr/state", "o.zarr"), ("o.h5ad", "o.h5ad"), ("a/../o.zarr/b/c", "o.zarr")]
)  # fmt: skip
def test_a_folder_inside_the_output_is_known_before(
    cells: AnnData, quick, tmp_path: Path, once_trained, argument: str, folder: str, output: str
) -> None:
    """The store replaces what was there: the model would be gone, and nothing would say so."""
    places = {argument: tmp_path / folder, "output": tmp_path / output}
    with (
        once_trained(lambda: pytest.fail("trained")),
        pytest.raises(ValueError, match=f"{argument}=.* lies in output=.*: give another folder"),
    ):
        fsc.tl.discover(cells, "coarse", 6, **places, **quick)


def test_a_folder_inside_a_store_is_known_before(cells: AnnData, quick, tmp_path: Path) -> None:
    cells.write_zarr(tmp_path / "in.zarr")
    with pytest.raises(ValueError, match=r"save_model=.* is in a zarr store, .*: give another folder"):
        fsc.tl.discover(cells, "coarse", 6, save_model=tmp_path / "in.zarr" / "models" / "first", **quick)


def _lose(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.touch()


def test_a_folder_lost_during_the_run_costs_neither_labels_nor_model(
    cells: AnnData, quick, tmp_path: Path, once_trained
) -> None:
    with (
        once_trained(lambda: _lose(tmp_path / "model")),
        pytest.raises(ModelNotSavedError, match=r"save_model=.*labels are in adata\.obs\['sub_fine'\], and") as caught,
    ):
        fsc.tl.discover(cells, "coarse", 6, save_model=tmp_path / "model", key_added="sub", **quick)
    assert caught.value.adata is cells
    assert cells.obs["sub_fine"].notna().all()
    caught.value.model.save(tmp_path / "elsewhere")
    new = cells.copy()
    fsc.tl.predict(new, fsc.Falcon.load(tmp_path / "elsewhere", device="cpu"), coarse_key="coarse")
    assert (new.obs["falcon_fine"] == cells.obs["sub_fine"]).all()


def test_the_error_has_the_copy(cells: AnnData, quick, fingerprint, tmp_path: Path, once_trained) -> None:
    before = fingerprint(cells)
    with once_trained(lambda: _lose(tmp_path / "model")), pytest.raises(OSError, match=r"of error\.adata") as caught:
        fsc.tl.discover(cells, "coarse", 6, save_model=tmp_path / "model", copy=True, **quick)
    assert fingerprint(cells) == before
    assert caught.value.adata.obs["falcon_fine"].notna().all()


def test_the_errors_come_back_from_other_processes(cells: AnnData) -> None:
    """With what they hold: they are sent pickled, and a pool waits forever for one that cannot be read."""
    for error in (ModelNotSavedError("lost", fsc.Falcon(2), cells), OutputNotWrittenError("lost", cells)):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert str(again) == "lost"
        assert again.adata.shape == cells.shape


def test_images_keep_their_model(tmp_path: Path, once_trained) -> None:
    from falcon_sc.vision import discover

    features = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    with once_trained(lambda: _lose(tmp_path / "model")), pytest.raises(ModelNotSavedError) as caught:
        discover(
            features,
            np.repeat(["a", "b"], 20),
            4,
            config=fsc.FalconConfig(start="random", max_epochs=1),
            device="cpu",
            progress_bar=False,
            save_model=tmp_path / "model",
        )
    assert caught.value.model.labels_.shape == (40,)


def test_home_folder(cells: AnnData, quick, tmp_path: Path, monkeypatch) -> None:
    matplotlib.get_configdir()  # which is made at home when it is first asked for
    monkeypatch.setenv("HOME", str(tmp_path))
    fsc.tl.discover(cells, "coarse", 6, save_model="~/model", checkpoint="~/state", **quick)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "state"]
    assert fsc.Falcon.load("~/model", device="cpu").relation_.shape == (6, 3)
