"""700 blood cells that ship with scanpy, with cell types at two levels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from falcon_sc.core.runtime.compiled_code import says_where_to_keep_it

if TYPE_CHECKING:
    from anndata import AnnData

LINEAGES = {
    "CD4+/CD25 T Reg": "T cell",
    "CD4+/CD45RA+/CD25- Naive T": "T cell",
    "CD4+/CD45RO+ Memory": "T cell",
    "CD8+ Cytotoxic T": "T cell",
    "CD8+/CD45RA+ Naive Cytotoxic": "T cell",
    "CD56+ NK": "NK cell",
    "CD19+ B": "B cell",
    "CD14+ Monocyte": "Myeloid cell",
    "Dendritic": "Myeloid cell",
    "CD34+": "Progenitor",
}


def pbmc68k_reduced() -> AnnData:
    """700 peripheral blood mononuclear cells with lineages (coarse) and cell types (fine).

    The cells of :func:`scanpy.datasets.pbmc68k_reduced` (a sample of the 68k PBMCs of :cite:t:`Zheng2017`); the
    file ships with scanpy, nothing is downloaded. The ten fine classes are the labels that the authors of
    the data gave each cell by its most similar population of sorted cells. The five coarse classes are their
    lineages:

    ============== ============================================================================================
    T cell         CD4+/CD25 T Reg (68), CD8+ Cytotoxic T (54), CD8+/CD45RA+ Naive Cytotoxic (43),
                   CD4+/CD45RO+ Memory (19), CD4+/CD45RA+/CD25- Naive T (8)
    Myeloid cell   Dendritic (240), CD14+ Monocyte (129)
    B cell         CD19+ B (95)
    NK cell        CD56+ NK (31)
    Progenitor     CD34+ (13)
    ============== ============================================================================================

    Returns
    -------
    Annotated matrix of 700 cells x 765 genes with

    `X`
        CSR, float32: log-normalized expression, ln(1 + 10,000 x count / `n_counts`). The totals were taken over all
        genes before these 765 were chosen, so rows do not add up to 10,000. (In scanpy's object this matrix is
        `.raw`, and `X` is scaled.)
    `obs["coarse"]`, `obs["fine"]`
        Categorical; every fine class lies in one coarse class.
    `obs["n_counts"]`
        Total count of the cell over all genes.
    `obsm["X_pca"]`, `obsm["X_umap"]`
        scanpy's embeddings, 700 x 50 and 700 x 2.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> adata = fsc.datasets.pbmc68k_reduced()
    >>> adata.shape
    (700, 765)
    """
    with says_where_to_keep_it("scanpy"):
        import scanpy as sc
    from anndata import AnnData

    source = sc.datasets.pbmc68k_reduced()
    fine = source.obs["bulk_labels"].cat.remove_unused_categories()
    return AnnData(
        source.raw.X,
        obs=source.obs[["n_counts"]].assign(coarse=fine.map(LINEAGES).astype("category"), fine=fine),
        var=source.var[["means", "dispersions"]],
        obsm={key: source.obsm[key] for key in ("X_pca", "X_umap")},
    )
