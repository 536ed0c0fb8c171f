"""Cells with their results in a file: what was on disk goes there chunk by chunk, and nothing else is overwritten."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import zarr
from scipy import sparse

import falcon_sc as fsc
from falcon_sc._output import Output, OutputNotWrittenError
from falcon_sc._saving import ModelNotSavedError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

FORMATS = ["h5ad", "zarr"]


@pytest.fixture
def full(cells: AnnData) -> AnnData:
    """Cells with something in every place that an AnnData has."""
    cells.layers["dense"] = cells.X.toarray()
    cells.layers["columns"] = sparse.csc_matrix(cells.X)
    cells.raw = cells
    cells.obsm["X_pca"] = np.random.default_rng(0).normal(size=(240, 3)).astype(np.float32)
    cells.varm["loadings"] = np.ones((160, 2))
    cells.obsp["distances"] = sparse.eye(240, format="csr")
    cells.uns["of before"] = {"a": np.arange(3), "b": "text"}
    return cells


@pytest.fixture
def stored(full: AnnData, tmp_path: Path):
    """``stored(form)``: the cells on disk, opened as people do: backed h5ad, or zarr with X and a layer as dask arrays."""
    pytest.importorskip("dask", reason="the extra `disk` is not installed")
    opened: list[AnnData] = []

    def store(form: str) -> AnnData:
        if form == "h5ad":
            full.write_h5ad(tmp_path / "in.h5ad", compression="lzf")
            opened.append(anndata.read_h5ad(tmp_path / "in.h5ad", backed="r"))
            return opened[0]
        full.write_zarr(tmp_path / "in.zarr")
        group = zarr.open_group(tmp_path / "in.zarr", mode="r")
        lazy = anndata.AnnData(
            anndata.experimental.read_elem_lazy(group["X"], chunks=(50, full.n_vars)),
            obs=full.obs.copy(),
            var=full.var.copy(),
            layers={"dense": anndata.experimental.read_elem_lazy(group["layers/dense"])},
            obsp=dict(full.obsp),
        )
        lazy.raw = full
        return lazy

    yield store
    for adata in opened:
        adata.file.close()


def read(path: Path) -> AnnData:
    return anndata.read_zarr(path) if path.suffix == ".zarr" else anndata.read_h5ad(path)


def chunks(path: Path, inside: str) -> list[bytes]:
    """What the chunks of an array hold as they lie on disk."""
    if path.suffix == ".zarr":
        return [file.read_bytes() for file in sorted((path / inside).rglob("*")) if file.is_file()]
    with h5py.File(path, "r") as file:
        array = file[inside].id
        return [array.read_direct_chunk(array.get_chunk_info(i).chunk_offset)[1] for i in range(array.get_num_chunks())]


def same(found: AnnData, expected: AnnData, key: str = "falcon") -> None:
    for name in ("fine", "confidence"):
        assert found.obs[f"{key}_{name}"].equals(expected.obs[f"{key}_{name}"])
    for name in (f"{key}_proba", f"X_{key}"):
        np.testing.assert_array_equal(found.obsm[name], expected.obsm[name])
    assert list(found.uns[key]["fine_names"]) == list(expected.uns[key]["fine_names"])
    assert list(found.uns[f"{key}_fine_colors"]) == list(expected.uns[f"{key}_fine_colors"])


@pytest.mark.parametrize("form", FORMATS)
def test_cells_on_disk_are_copied_chunk_by_chunk_with_their_results(
    full: AnnData, stored, tmp_path: Path, quick, form: str
) -> None:
    source, output = tmp_path / f"in.{form}", tmp_path / "folder" / f"out.{form}"
    cells = stored(form)
    for _ in range(2):  # the second one replaces the first, which is an earlier result
        fsc.tl.discover(cells, "coarse", 6, output=output, **quick)
    fsc.tl.discover(full, "coarse", 6, **quick)
    copy = read(output)
    same(copy, full)
    same(cells, full)  # in memory as well
    assert (
        (copy.X != full.X).nnz
        == (copy.raw.X != full.X).nnz
        == (copy.obsp["distances"] != full.obsp["distances"]).nnz
        == 0
    )
    np.testing.assert_array_equal(copy.layers["dense"], full.layers["dense"])
    for part in ("X/data", "X/indices", "X/indptr"):
        assert chunks(output, part) == chunks(source, part)
        assert chunks(output, part)
    if form == "h5ad":
        assert (copy.layers["columns"] != full.layers["columns"]).nnz == 0
        assert set(copy.uns["of before"]) == {"a", "b"}
        assert "loadings" in copy.varm
        with h5py.File(output) as file:  # what is new is compressed as the rest is
            assert file["obsm/falcon_proba"].compression == "lzf"
    assert [path.name for path in output.parent.iterdir()] == [output.name]
    assert "falcon" not in read(source).uns


@pytest.mark.parametrize("form", FORMATS)
def test_predict(full: AnnData, stored, tmp_path: Path, quick, form: str) -> None:
    fsc.tl.discover(full.copy(), "coarse", 6, save_model=tmp_path / "model", **quick)
    model = fsc.Falcon.load(tmp_path / "model", device="cpu")
    fsc.tl.predict(stored(form), model, coarse_key="coarse", key_added="new", output=tmp_path / f"out.{form}")
    fsc.tl.predict(full, model, coarse_key="coarse", key_added="new")
    same(read(tmp_path / f"out.{form}"), full, "new")
    assert chunks(tmp_path / f"out.{form}", "X/data") == chunks(tmp_path / f"in.{form}", "X/data")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", FORMATS)
def test_every_other_way_is_written_a_block_at_a_time(
    stored, full: AnnData, tmp_path: Path, form: str, kind: str
) -> None:
    """The other format, and matrices that were changed since they were read."""
    cells = stored(kind)
    expected = full.X
    if kind == form == "h5ad":
        pytest.skip("this is the plain copy")
    if kind == "zarr":
        cells.X, expected = cells.X.map_blocks(np.log1p), full.X.log1p()
    output = Output.checked(tmp_path / f"out.{form}", cells, "falcon")
    assert output is not None
    output.write(cells)
    copy = read(tmp_path / f"out.{form}")
    assert (expected != copy.X).nnz == 0
    np.testing.assert_array_equal(copy.layers["dense"], full.layers["dense"])
    assert copy.raw is not None


def test_a_lazy_object(planted: AnnData, tmp_path: Path, quick, on_disk) -> None:
    cells = on_disk(planted, "lazy")
    fsc.tl.discover(cells, "coarse", 6, output=tmp_path / "out.zarr", **quick)
    expected = fsc.tl.discover(planted, "coarse", 6, copy=True, **quick)
    copy = read(tmp_path / "out.zarr")
    same(copy, expected)
    assert copy.obs["donor"].tolist() == planted.obs["donor"].tolist()
    assert chunks(tmp_path / "out.zarr", "X/data") == chunks(tmp_path / "cells.zarr", "X/data")


@pytest.mark.parametrize("form", FORMATS)
def test_cells_in_memory_are_written_too(cells: AnnData, tmp_path: Path, quick, fingerprint, form: str) -> None:
    before = fingerprint(cells)
    found = fsc.tl.discover(cells, "coarse", 6, copy=True, output=tmp_path / f"out.{form}", **quick)
    same(read(tmp_path / f"out.{form}"), found)
    assert fingerprint(cells) == before


@pytest.mark.parametrize("form", FORMATS)
def test_the_matrix_is_never_whole_in_memory(tmp_path: Path, form: str) -> None:
    pytest.importorskip("dask", reason="the extra `disk` is not installed")
    X = np.random.default_rng(0).random((2000, 2000), dtype=np.float32)  # 15 MiB
    made = anndata.AnnData(X, obs=pd.DataFrame(index=np.arange(2000).astype(str)))
    if form == "h5ad":
        made.write_h5ad(tmp_path / "in.h5ad")
        cells = anndata.read_h5ad(tmp_path / "in.h5ad", backed="r")
    else:
        made.write_zarr(tmp_path / "in.zarr")
        cells = anndata.AnnData(
            anndata.experimental.read_elem_lazy(zarr.open_group(tmp_path / "in.zarr", mode="r")["X"])
        )
    for name in (f"out.{form}", "other.zarr" if form == "h5ad" else "other.h5ad"):
        output = Output.checked(tmp_path / name, cells, "falcon")
        assert output is not None
        output.write(cells)  # once before: imports take memory as well
        tracemalloc.start()
        output.write(cells)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        if name.startswith("out"):
            assert peak < 4 * 2**20
        np.testing.assert_array_equal(read(tmp_path / name).X, X)
    if form == "h5ad":
        cells.file.close()


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("in.h5ad", ValueError, r"output='.*in\.h5ad' is what adata is read from: give another path"),
        ("link.h5ad", ValueError, r"output='.*link\.h5ad' is what adata is read from"),
        (
            "other.h5ad",
            ValueError,
            r"exists and holds no result of falcon_sc under the key 'falcon': give another path",
        ),
        ("other key.h5ad", ValueError, "exists and holds no result of falcon_sc under the key 'falcon'"),
        ("text.h5ad", ValueError, "exists and holds no result of falcon_sc"),
        ("cells.csv", ValueError, r"is of an unknown format: give a name that ends in \.h5ad or \.zarr"),
        ("photographs.zarr", ValueError, "is a folder with other files, and no zarr store"),
        ("folder.h5ad", ValueError, "is a folder, but a file is to be written there"),
        ("text.h5ad/out.h5ad", PermissionError, "cannot be written"),
    ],
)
def test_refused_before_any_work(
    stored, full: AnnData, tmp_path: Path, quick, once_trained, name: str, error, message: str
) -> None:
    cells = stored("h5ad")
    (tmp_path / "link.h5ad").symlink_to(tmp_path / "in.h5ad")
    full.write_h5ad(tmp_path / "other.h5ad")
    full.uns["another"] = {"fine_names": np.array(["a"]), "params": {"falcon_sc": "1"}}
    full.write_h5ad(tmp_path / "other key.h5ad")
    (tmp_path / "text.h5ad").write_text("nothing")
    (tmp_path / "photographs.zarr").mkdir()
    (tmp_path / "photographs.zarr" / "1.png").touch()
    (tmp_path / "folder.h5ad").mkdir()
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    with once_trained(lambda: pytest.fail("trained")), pytest.raises(error, match=message):
        fsc.tl.discover(cells, "coarse", 6, output=tmp_path / name, **quick)
    assert "falcon_fine" not in cells.obs
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_predict_refuses_as_well(cells: AnnData, tmp_path: Path) -> None:
    config = fsc.FalconConfig(start="random", max_epochs=1)
    model = fsc.Falcon(6, config, device="cpu").fit(
        cells.X.toarray(), cells.obs["coarse"], feature_names=cells.var_names
    )
    cells.write_h5ad(tmp_path / "cells.h5ad")
    with pytest.raises(ValueError, match="exists and holds no result of falcon_sc"):
        fsc.tl.predict(cells, model, values="lognorm", output=tmp_path / "cells.h5ad")
    assert "falcon_fine" not in cells.obs


def test_a_folder_lost_during_the_run_costs_nothing(cells: AnnData, quick, tmp_path: Path, once_trained) -> None:
    def lose() -> None:
        (tmp_path / "there").rmdir()
        (tmp_path / "there").touch()

    (tmp_path / "there").mkdir()
    keywords = quick | {"output": tmp_path / "there" / "out.h5ad", "save_model": tmp_path / "model"}
    with (
        once_trained(lose),
        pytest.raises(
            OutputNotWrittenError, match=r"could not be written after the run .* the results are in adata\."
        ) as caught,
    ):
        fsc.tl.discover(cells, "coarse", 6, **keywords)
    assert caught.value.adata is cells
    assert cells.obs["falcon_fine"].notna().all()
    assert fsc.Falcon.load(tmp_path / "model").fine_names_.tolist() == list(cells.uns["falcon"]["fine_names"])


def test_a_model_lost_during_the_run_does_not_cost_the_output(
    cells: AnnData, quick, tmp_path: Path, once_trained
) -> None:
    with once_trained((tmp_path / "model").touch), pytest.raises(ModelNotSavedError):
        fsc.tl.discover(cells, "coarse", 6, output=tmp_path / "out.h5ad", save_model=tmp_path / "model", **quick)
    same(read(tmp_path / "out.h5ad"), cells)
