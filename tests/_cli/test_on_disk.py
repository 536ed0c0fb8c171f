from __future__ import annotations

from typing import TYPE_CHECKING

import anndata
import h5py
import numpy as np
import pytest
import zarr
from scipy import sparse

import falcon_sc as fsc
from falcon_sc._cli import main
from falcon_sc._cli.on_disk import open_cells, write_copy

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

SUFFIXES = [".h5ad", ".zarr"]


@pytest.fixture
def full(planted: AnnData) -> AnnData:
    """Cells with something in every place that an AnnData has."""
    adata = planted.copy()
    adata.layers["dense"] = adata.X.toarray()
    adata.layers["columns"] = sparse.csc_matrix(adata.X)
    adata.raw = adata
    adata.obsm["X_pca"] = np.random.default_rng(0).normal(size=(240, 3)).astype(np.float32)
    adata.varm["loadings"] = np.ones((160, 2))
    adata.obsp["distances"] = sparse.eye(240, format="csr")
    adata.uns["of before"] = {"a": np.arange(3), "b": "text"}
    return adata


def write(adata: AnnData, path: Path) -> Path:
    if path.suffix == ".zarr":
        adata.write_zarr(path)
    else:
        adata.write_h5ad(path, compression="lzf")
    return path


def read(path: Path) -> AnnData:
    return anndata.read_zarr(path) if path.suffix == ".zarr" else anndata.read_h5ad(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_matrices_are_left_where_they_are(full: AnnData, tmp_path: Path, suffix: str) -> None:
    adata = open_cells(write(full, tmp_path / f"in{suffix}"))
    for stored, values in ((adata.X, full.X), *((adata.layers[name], full.layers[name]) for name in full.layers)):
        assert hasattr(stored, "dask")
        found = stored.compute()
        np.testing.assert_array_equal(
            found.toarray() if sparse.issparse(found) else found,
            np.asarray(values.todense() if sparse.issparse(values) else values),
        )
    assert adata.obs.equals(full.obs)
    np.testing.assert_array_equal(adata.obsm["X_pca"], full.obsm["X_pca"])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_copy_has_the_results_and_everything_else_as_it_was(full: AnnData, tmp_path: Path, suffix: str) -> None:
    source, output = write(full, tmp_path / f"in{suffix}"), tmp_path / "folder" / f"out{suffix}"
    adata = open_cells(source)
    adata.obs["found"] = np.arange(240)
    adata.obsm["X_found"] = np.ones((240, 2), dtype=np.float32)
    adata.uns["found"] = {"M": np.eye(2)}
    del adata.uns["of before"]["b"]
    for _ in range(2):  # the second one replaces the first
        write_copy(adata, source, output, {"compression": "gzip"})
        copy = read(output)
        assert copy.obs["found"].tolist() == list(range(240))
        assert copy.obsm["X_found"].shape == (240, 2)
        assert set(copy.uns) == {"of before", "found"}
        assert set(copy.uns["of before"]) == {"a"}
        assert (copy.X != full.X).nnz == (copy.raw.X != full.X).nnz == (copy.layers["columns"] != full.X).nnz == 0
        assert (copy.obsp["distances"] != full.obsp["distances"]).nnz == 0
        assert "loadings" in copy.varm
    assert [path.name for path in output.parent.iterdir()] == [output.name]
    before = read(source)
    assert set(before.uns) == {"of before"}
    assert "found" not in before.obs


def test_a_store_says_at_its_root_what_is_in_it(full: AnnData, tmp_path: Path) -> None:
    source = write(full, tmp_path / "in.zarr")
    adata = open_cells(source)
    adata.obs["found"] = 1.0
    write_copy(adata, source, tmp_path / "out.zarr", {})
    assert "found" in zarr.open_group(tmp_path / "out.zarr", mode="r", use_consolidated=True)["obs"]


@pytest.mark.parametrize(("suffix", "layer"), [(".h5ad", []), (".zarr", ["--layer", "dense"])])
def test_results_are_those_of_the_cells_in_memory(
    full: AnnData, tmp_path: Path, few_steps, suffix: str, layer: list[str]
) -> None:
    source, model = str(write(full, tmp_path / f"in{suffix}")), str(tmp_path / "model")
    found = {}
    for name, more in (("memory", layer), ("disk", [*layer, "--on-disk"])):
        first, second = tmp_path / f"{name}{suffix}", tmp_path / f"{name} again{suffix}"
        assert main(["discover", source, *few_steps, *more, "-o", str(first), "--save-model", model]) == 0
        again = ["--model", model, "--coarse-key", "coarse", "--key-added", "again", "--device", "cpu", *more]
        assert main(["predict", str(first), *again, "-o", str(second)]) == 0
        found[name] = read(second)
    for key in ("falcon", "again"):
        assert found["disk"].obs[f"{key}_fine"].equals(found["memory"].obs[f"{key}_fine"])
        np.testing.assert_array_equal(found["disk"].obsm[f"{key}_proba"], found["memory"].obsm[f"{key}_proba"])
    assert found["disk"].var["falcon_highly_variable"].all()
    assert found["disk"].uns["falcon"]["params"]["n_fine"] == 3
    assert found["disk"].raw is not None


def test_a_cut_reads_no_matrix(planted: AnnData, tmp_path: Path) -> None:
    adata = fsc.tl.discover(planted, "coarse", 6, copy=True, max_epochs=1, progress_bar=False, device="cpu")
    source, output = write(adata, tmp_path / "in.h5ad"), tmp_path / "out.h5ad"
    assert main(["cut", str(source), "--n-fine", "4", "--on-disk", "-o", str(output)]) == 0
    fsc.tl.cut(adata, 4)
    assert read(output).obs["falcon_fine"].tolist() == adata.obs["falcon_fine"].tolist()
    assert (read(output).X != planted.X).nnz == 0


@pytest.mark.parametrize(("suffix", "other"), [(".h5ad", ".zarr"), (".zarr", ".h5ad")])
def test_the_format_stays(planted: AnnData, tmp_path: Path, capsys, few_steps, suffix: str, other: str) -> None:
    source = write(planted, tmp_path / f"in{suffix}")
    output = str(tmp_path / f"out{other}")
    assert main(["discover", str(source), *few_steps, "--on-disk", "-o", output]) == 2
    said = capsys.readouterr().err
    assert f"with --on-disk the file is copied, so give a name that ends in {suffix}." in said
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


def test_the_cells_may_be_replaced_by_those_with_results(planted: AnnData, tmp_path: Path, few_steps) -> None:
    source = write(planted, tmp_path / "in.h5ad")
    assert main(["discover", str(source), *few_steps, "--on-disk", "-o", str(source)]) == 0
    assert "falcon_fine" in read(source).obs
    assert [path.name for path in tmp_path.iterdir()] == ["in.h5ad"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.h5ad", "there is no file"),
        ("other.h5", "cannot be read as an AnnData (ValueError: it does not say that it is one"),
        ("columns.h5ad", "is stored by columns (CSC)"),
    ],
)
def test_what_cannot_be_read_is_named(planted: AnnData, tmp_path: Path, capsys, few_steps, name, message) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["matrix/data"] = np.arange(3)
    cells = planted.copy()
    cells.X = sparse.csc_matrix(cells.X)
    cells.write_h5ad(tmp_path / "columns.h5ad")
    assert main(["discover", str(tmp_path / name), *few_steps, "--on-disk", "-o", str(tmp_path / "out.h5ad")]) == 2
    said = capsys.readouterr().err
    assert name in said
    assert message in said
    assert not (tmp_path / "out.h5ad").exists()
