"""The main job on 700 blood cells, with a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from matplotlib.figure import Figure

CELLS, PICTURE = "pbmc68k_reduced_falcon.h5ad", "pbmc68k_reduced_falcon.png"
_N_FINE = 10


def demo(folder: Path) -> str:
    """Discover fine classes in :func:`falcon_sc.datasets.pbmc68k_reduced`, save cells and picture, say how well it went."""
    import falcon_sc as fsc

    adata = fsc.datasets.pbmc68k_reduced()
    fsc.tl.discover(adata, coarse_key="coarse", n_fine=_N_FINE)
    folder.mkdir(parents=True, exist_ok=True)
    adata.write_h5ad(folder / CELLS)
    _picture(adata).savefig(folder / PICTURE, dpi=150)
    return f"{_summary(adata)}\nCells and picture are in {folder}."


def _summary(adata: AnnData) -> str:
    """Agreement with the authors' labels, next to that of the coarse labels alone."""
    from falcon_sc.metrics import adjusted_rand_index, clustering_accuracy

    lines = [
        f"{adata.n_obs} cells, {adata.obs['coarse'].nunique()} coarse classes, "
        f"{adata.obs['falcon_fine'].nunique()} fine classes found (asked for {_N_FINE}).",
        "Agreement with the ten cell types of the authors, which were not used:",
        f"{'':24}{'accuracy':>9}{'ARI':>7}",
    ]
    for name, column in (("coarse labels alone", "coarse"), ("falcon_fine", "falcon_fine")):
        accuracy = clustering_accuracy(adata.obs["fine"], adata.obs[column])
        rand = adjusted_rand_index(adata.obs["fine"], adata.obs[column])
        lines.append(f"  {name:22}{accuracy:9.3f}{rand:7.3f}")
    return "\n".join(lines)


def _picture(adata: AnnData) -> Figure:
    """The cells colored by coarse class, fine class and confidence, and the relation."""
    import matplotlib.pyplot as plt
    import scanpy as sc

    from falcon_sc.pl import relation

    drawn = adata.copy()  # scanpy stores the colors it chooses
    plt.switch_backend("agg")  # a file, not a window
    figure, axes = plt.subplots(2, 2, figsize=(12, 8), layout="constrained")
    for ax, column, title in zip(
        axes.flat[:3],
        ("coarse", "falcon_fine", "falcon_confidence"),
        ("coarse labels: given", "fine classes: discovered", "confidence of the fine class"),
        strict=True,
    ):
        sc.pl.umap(drawn, color=column, title=title, size=35, ax=ax, show=False, frameon=False)
    relation(drawn, ax=axes.flat[3])
    axes.flat[3].set_title("fine classes under their coarse classes")
    return figure
