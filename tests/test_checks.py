from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from falcon_sc._checks import (
    check_adata,
    check_int,
    check_key_added,
    check_unique_genes,
    check_writable,
    listed,
    obs_column,
)

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


def test_listed_cuts_long_lists() -> None:
    assert listed(["a", 1]) == "'a', '1'"
    assert listed(range(23)).endswith("'19' and 3 more")
    assert listed([]) == "none"


def test_not_anndata() -> None:
    with pytest.raises(TypeError, match="adata must be an AnnData object, found ndarray"):
        check_adata(np.ones((3, 2)), copy=False)


def test_view(cells: AnnData) -> None:
    with pytest.raises(ValueError, match=r"adata is a view .* adata\.copy\(\) first, or pass copy=True"):
        check_adata(cells[:50], copy=False)
    check_adata(cells[:50], copy=True)
    check_adata(cells[:50].copy(), copy=False)


def test_empty(cells: AnnData) -> None:
    with pytest.raises(ValueError, match="adata is empty: 0 cells x 160 genes"):
        check_adata(cells[:0].copy(), copy=False)
    with pytest.raises(ValueError, match="adata is empty: 240 cells x 0 genes"):
        check_adata(cells[:, :0].copy(), copy=False)


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
        with pytest.raises(ValueError, match=r"backed mode .* adata\.to_memory\(\)"):
            check_adata(backed, copy=False)
    finally:
        backed.file.close()


def test_missing_column_lists_the_others(cells: AnnData) -> None:
    with pytest.raises(KeyError, match=r"coarse_key='celltype' is not a column.*'coarse', 'fine', 'donor'"):
        obs_column(cells, "celltype", "coarse_key")


@pytest.mark.parametrize("value", [True, 3.0, "3", None, np.float64(4)])
def test_not_an_int(value: object) -> None:
    with pytest.raises(TypeError, match="n_fine must be an int, found"):
        check_int(value, "n_fine")


def test_int() -> None:
    assert check_int(np.int64(3), "n_fine") == 3
    assert type(check_int(np.int64(3), "n_fine")) is int
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
