from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from falcon_sc._embeddings import read_embedding


def test_embedding() -> None:
    adata = AnnData(np.ones((40, 3)), obsm={"X_pca": np.arange(80.0).reshape(40, 2) - 40})
    embedding = read_embedding(adata, "X_pca")
    assert embedding.dtype == np.float32
    np.testing.assert_array_equal(embedding, adata.obsm["X_pca"])
    with pytest.raises(KeyError, match=r"use_rep='X_scvi' is not in adata\.obsm, which has: 'X_pca'"):
        read_embedding(adata, "X_scvi")
    adata.obsm["X_pca"][0, 0] = -1e20  # such as what stands for a missing value
    with pytest.raises(ValueError, match=r"adata\.obsm\['X_pca'\] holds values as large as 1e\+20"):
        read_embedding(adata, "X_pca")
    adata.obsm["X_pca"][0, 0] = np.nan
    with pytest.raises(ValueError, match=r"adata\.obsm\['X_pca'\] holds NaN or inf"):
        read_embedding(adata, "X_pca")


@pytest.mark.parametrize(
    ("entry", "error", "message"),
    [
        (
            pd.DataFrame({"CD3": 1.0, "isotype": "IgG1"}, index=range(5)),
            TypeError,
            "holds something that is no number .*'IgG1'",
        ),
        (np.ones((5, 2, 2)), ValueError, r"has shape \(5, 2, 2\): a matrix"),
        (np.ones((5, 0)), ValueError, r"has shape \(5, 0\): a matrix"),
        (np.full((5, 2), 1e300), ValueError, "holds NaN or inf"),
        (np.full((5, 2), 1j), TypeError, "has dtype complex128: real numbers are needed"),
        (np.full((5, 2), np.timedelta64(3, "s")), TypeError, r"has dtype timedelta64\[s\]: real numbers are needed"),
        (np.ma.masked_array(np.ones((5, 2)), mask=np.eye(5, 2)), ValueError, "is a masked array, and 2 of its values"),
    ],
)
def test_an_entry_of_obsm_that_is_no_embedding_is_named(entry, error, message: str) -> None:
    adata = AnnData(obs=pd.DataFrame(index=[str(i) for i in range(5)]))
    adata.obsm["odd"] = entry.set_axis(adata.obs_names) if isinstance(entry, pd.DataFrame) else entry
    with pytest.raises(error, match=rf"adata\.obsm\['odd'\] {message}"):
        read_embedding(adata, "odd")


def test_a_read_only_embedding_can_be_given_to_torch() -> None:
    values = np.ones((5, 2), dtype=np.float32)
    values.setflags(write=False)
    adata = AnnData(obs=pd.DataFrame(index=[str(i) for i in range(5)]), obsm={"X_rep": values})
    assert read_embedding(adata, "X_rep").flags.writeable
    assert not values.flags.writeable
