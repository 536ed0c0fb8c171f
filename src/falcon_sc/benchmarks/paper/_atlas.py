"""The cells of the paper's single-cell tables: from a file, or a simulated twin; prepared as appendix G says."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

MIN_GENES, MIN_CELLS, N_GENES, TOTAL = 200, 5, 2000, 1e4
N_COARSE, N_FINE, N_DONORS = 27, 83, 16  # of the twin; the first two are the paper's


@dataclass(frozen=True)
class Atlas:
    """Cells after the filters of the paper.

    `counts`: raw counts of all genes that are left, with ``obs["coarse"]`` alone. `X`: what every system of the tables is
    given, log-normalized expression of the 2,000 genes that vary most across donors, CSR (N, 2,000); `genes`, which of
    those of `counts` they are. `fine`: only for scoring and for the upper bound.
    """

    name: str
    counts: AnnData
    X: Any
    genes: NDArray[np.bool_]
    coarse: NDArray[np.str_]
    fine: NDArray[np.str_]

    @property
    def n_fine(self) -> int:
        """Number of fine classes: what every system is told."""
        return len(np.unique(self.fine))

    @property
    def relation(self) -> NDArray[np.uint8]:
        """True M, fine and coarse classes in the order of their names."""
        names, codes = np.unique(self.fine, return_inverse=True)
        coarse, parents = np.unique(self.coarse, return_inverse=True)
        M = np.zeros((len(names), len(coarse)), dtype=np.uint8)
        M[codes, parents] = 1
        return M


def read(path: Path, *, coarse_key: str, fine_key: str, donor_key: str) -> Atlas:
    """An h5ad of raw counts.

    Raises
    ------
    KeyError
        If a column is missing.
    ValueError
        If a fine class lies in several coarse ones, or a label is missing.
    """
    import anndata

    adata = anndata.read_h5ad(path)
    check_labels(adata, coarse_key=coarse_key, fine_key=fine_key, donor_key=donor_key)
    return prepared(path.name, adata, coarse_key, fine_key, donor_key)


def check_labels(adata: AnnData, **columns: str) -> None:
    """Columns of obs, `coarse_key` and `fine_key` among them, are there, without gaps, and the fine classes in one coarse class.

    Raises
    ------
    KeyError
        If a column is missing.
    ValueError
        If a fine class lies in several coarse ones, or a label is missing.
    """
    for argument, key in columns.items():
        if key not in adata.obs:
            msg = f"{argument}={key!r} is no column of obs; there are {list(adata.obs.columns)}."
            raise KeyError(msg)
        if adata.obs[key].isna().any():
            msg = f"{argument}={key!r} has {int(adata.obs[key].isna().sum())} cells without a value: remove them."
            raise ValueError(msg)
    labels = (adata.obs[columns[name]] for name in ("fine_key", "coarse_key"))
    pairs = sorted({(str(f), str(c)) for f, c in zip(*labels, strict=True)})
    several = sorted({one[0] for one, other in pairwise(pairs) if one[0] == other[0]})
    if several:
        msg = f"fine_key={columns['fine_key']!r}: classes in several coarse ones: {several[:5]}. Each must lie in one."
        raise ValueError(msg)


def twin(n_obs: int) -> Atlas:
    """Simulated cells with as many coarse and fine classes as the paper's, as uneven, or fewer if there are few cells."""
    from falcon_sc.datasets import simulate

    shrunk = min(1.0, n_obs / (20 * N_FINE))
    n_coarse, n_fine = max(2, int(N_COARSE * shrunk)), max(4, int(N_FINE * shrunk))
    n_donors = max(1, min(N_DONORS, n_obs // 200))
    adata = simulate(n_obs, 3000, n_coarse=n_coarse, n_fine=n_fine, gini=0.55, n_donors=n_donors, rng=0)
    return prepared(f"simulated, {n_obs} cells", adata, "coarse", "fine", "donor")


def prepared(name: str, adata: AnnData, coarse_key: str, fine_key: str, donor_key: str) -> Atlas:
    """Filter, choose genes across donors, normalize."""
    import pandas as pd
    import scanpy as sc
    from scipy import sparse

    from falcon_sc.pp import select_genes

    adata = adata.copy()
    sc.pp.filter_cells(adata, min_genes=MIN_GENES)
    sc.pp.filter_genes(adata, min_cells=MIN_CELLS)
    select_genes(adata, n_top_genes=N_GENES, batch_key=donor_key)
    coarse, fine = (adata.obs[key].to_numpy(dtype=np.str_) for key in (coarse_key, fine_key))
    normalized = adata.copy()
    sc.pp.normalize_total(normalized, target_sum=TOTAL)
    sc.pp.log1p(normalized)
    genes = adata.var["falcon_highly_variable"].to_numpy()
    X = sparse.csr_matrix(normalized[:, genes].X, dtype=np.float32)
    del adata.var["falcon_highly_variable"], adata.uns["falcon_highly_variable"]
    adata.obs = pd.DataFrame({"coarse": coarse}, index=adata.obs_names)
    return Atlas(name, adata, X, genes, coarse, fine)
