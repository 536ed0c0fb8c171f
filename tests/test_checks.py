from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from falcon_sc._checks import (
    check_adata,
    check_int,
    check_key_added,
    check_unique_genes,
    check_writable,
    obs_column,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData


def test_not_anndata() -> None:
    with pytest.raises(TypeError, match="adata must be an AnnData object, found ndarray"):
        check_adata(np.ones((3, 2)), copy=False)


def test_view(cells: AnnData) -> None:
    part = cells[:50]
    check_adata(part, copy=True)
    assert part.is_view  # the copy will be written to
    check_adata(part, copy=False)
    assert not part.is_view
    assert part.shape == (50, 160)
    assert cells.shape == (240, 160)
    pd.testing.assert_frame_equal(part.obs, cells.obs[:50])


def test_empty(cells: AnnData) -> None:
    with pytest.raises(ValueError, match="adata is empty: 0 cells x 160 genes"):
        check_adata(cells[:0].copy(), copy=False)
    without = cells[:, :0].copy()
    without.obsm["X_rep"] = np.ones((240, 2))
    with pytest.raises(ValueError, match=r"adata is empty: 240 cells x 0 genes\. .* use_rep=.*'X_rep'"):
        check_adata(without, copy=False)
    check_adata(without, copy=False, genes=False)


def test_duplicate_names(cells: AnnData) -> None:
    cells.obs_names = ["twice", "twice", *cells.obs_names[2:]]
    with pytest.raises(ValueError, match=r"'twice' more than once: call adata\.obs_names_make_unique\(\)"):
        check_adata(cells, copy=False)


def test_duplicate_genes(cells: AnnData) -> None:
    check_unique_genes(cells)
    cells.var_names = ["twice", "twice", *cells.var_names[2:]]
    with pytest.raises(ValueError, match=r"'twice' more than once.*var_names_make_unique"):
        check_unique_genes(cells)


def test_backed(cells: AnnData, tmp_path: Path) -> None:
    import anndata

    cells.write_h5ad(tmp_path / "cells.h5ad")
    backed = anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    try:
        check_adata(backed, copy=False)
        with pytest.raises(ValueError, match=r"backed mode .*copy=True was given.*leave copy out"):
            check_adata(backed, copy=True)
        with pytest.raises(
            ValueError,
            match=r"backed mode .*it is a view, which cannot be written to: call adata = adata\.to_memory\(\) first",
        ):
            check_adata(backed[:10], copy=False)
    finally:
        backed.file.close()


def test_missing_column_lists_the_others(cells: AnnData) -> None:
    with pytest.raises(KeyError, match=r"coarse_key='celltype' is not a column.*'coarse', 'fine', 'donor'"):
        obs_column(cells, "celltype", "coarse_key")


@pytest.mark.parametrize("value", [True, np.True_, 3.0, "3", None, np.float64(4.5), np.array([4])])
def test_not_an_int(value: object) -> None:
    with pytest.raises(TypeError, match="n_fine must be an int, found"):
        check_int(value, "n_fine")


def test_int() -> None:
    assert check_int(np.int64(3), "n_fine") == 3
    assert type(check_int(np.int64(3), "n_fine")) is int
    assert type(check_int(np.float64(3), "n_fine")) is int
    with pytest.raises(ValueError, match="n_fine must be at least 1, found 0"):
        check_int(0, "n_fine")


@pytest.mark.parametrize("key", ["", "a/b", 3])
def test_bad_key(key: object) -> None:
    with pytest.raises(ValueError, match="key_added must be a non-empty string without '/'"):
        check_key_added(key)


def test_writable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    assert check_writable(tmp_path / "a" / "b", "save_model", folder=True) == tmp_path / "a" / "b"
    check_writable(tmp_path / "file", "--output", folder=False)
    check_writable(tmp_path, "save_model", folder=True)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize(("name", "folder", "found"), [("file", True, "is a file"), ("folder", False, "is a folder")])
def test_wrong_kind_of_path(tmp_path: Path, name: str, folder: bool, found: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match=f"save_model='.*{name}' {found}"):
        check_writable(tmp_path / name, "save_model", folder=folder)


def test_unwritable_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()  # a file cannot hold files, whoever asks
    with pytest.raises(PermissionError, match=r"save_model='.*file/model' cannot be written"):
        check_writable(tmp_path / "file" / "model", "save_model", folder=True)


def test_full_disk(tmp_path: Path, full_disk) -> None:
    with full_disk(), pytest.raises(PermissionError, match=r"--output='.*file' cannot be written \(File too large\)"):
        check_writable(tmp_path / "file", "--output", folder=False)
    assert not list(tmp_path.iterdir())


def test_files_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "weights.pt").mkdir()
    with pytest.raises(ValueError, match=r"save_model='.*' holds a folder 'weights\.pt', but a file is to be written"):
        check_writable(tmp_path, "save_model", folder=True, files=("model.json", "weights.pt"))
    check_writable(tmp_path, "save_model", folder=True, files=("model.json",))


def test_read_only_files() -> None:
    with tempfile.TemporaryDirectory() as name:  # not in tmp_path, which is closed to all others
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "model.json").touch()
        (folder / "model.json").chmod(0o444)
        with _as_somebody():
            check_writable(folder, "save_model", folder=True)
            with pytest.raises(PermissionError, match=r"cannot be written \('model\.json' is read-only\)"):
                check_writable(folder, "save_model", folder=True, files=("model.json",))
            with pytest.raises(PermissionError, match="is read-only"):
                check_writable(folder / "model.json", "--output", folder=False)


@contextmanager
def _as_somebody() -> Iterator[None]:
    """Root may write everything: be somebody else for a moment."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def test_the_home_folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert check_writable("~/a/model", "save_model", folder=True) == tmp_path / "a" / "model"


@pytest.mark.parametrize("path", [3, True, "", b"model"])
def test_no_path(path: object) -> None:
    with pytest.raises(TypeError, match="save_model must be a path, found"):
        check_writable(path, "save_model", folder=True)


def test_a_name_too_long(tmp_path: Path) -> None:
    with pytest.raises(PermissionError, match="cannot be written"):
        check_writable(tmp_path / ("x" * 300), "save_model", folder=True)


@pytest.mark.parametrize("folder", [True, False])
@pytest.mark.parametrize("name", ["x" * 300, "new/" + "x" * 300 + "/deep"], ids=["itself", "on the way"])
def test_names_that_are_too_long(tmp_path: Path, name: str, folder: bool) -> None:
    with pytest.raises(PermissionError, match=r"output='.*xxx.*' cannot be written \(File name too long\)"):
        check_writable(tmp_path / name, "output", folder=folder)
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_too_long_while_it_is_written(tmp_path: Path) -> None:
    """What is written stands beside the file first, under a longer name."""
    with pytest.raises(PermissionError, match="File name too long"):
        check_writable(tmp_path / ("x" * 253), "output", folder=False)
    check_writable(tmp_path / ("x" * 253), "save_model", folder=True)


def test_a_character_that_no_path_has(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"output='.*a\\x00b' holds a NUL character: give another path"):
        check_writable(tmp_path / "a\0b", "output", folder=False)


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    """It goes into `adata.uns`, where the results could not be written to a file because of it."""
    name = os.fsdecode(b"caf\xe9")  # of a disk that was written in Latin-1
    for path in (tmp_path / name, tmp_path / name / "model"):
        with pytest.raises(
            ValueError, match=r"save_model='.*caf\\udce9.*' holds half a character .*: give another path"
        ):
            check_writable(path, "save_model", folder=True)


@pytest.mark.parametrize("key", [".", "..", "a\0b", "T\ud800"])
def test_keys_that_no_file_takes(key: str) -> None:
    with pytest.raises(ValueError, match=r"key_added=.* cannot be in an h5ad or zarr file: give another"):
        check_key_added(key)
    check_key_added("...")
