"""Figures 2, 3, 4, K1 and L1 of the paper for cells: where it shows images, the genes that mark the cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.benchmarks.paper._figure_classes import LeftOutError, Told, check_asked
from falcon_sc.benchmarks.paper._figure_seen import N_POINTS, Seen, counted, short_names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anndata import AnnData
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from falcon_sc.benchmarks.paper._figure_seen import Truth

_KEY = "figures"  # of what is written to the cells in memory


@dataclass(frozen=True)
class CellTruth:
    """The two annotated levels of N cells, in the way of :class:`falcon_sc.vision.datasets.ImageData`."""

    fine: NDArray[np.int64]
    coarse: NDArray[np.int64]
    fine_names: tuple[str, ...]
    coarse_names: tuple[str, ...]

    @classmethod
    def of(cls, adata: AnnData, coarse_key: str, fine_key: str) -> CellTruth:
        """Read two columns without missing values."""
        names, codes = zip(
            *(np.unique(adata.obs[key].to_numpy(dtype=np.str_), return_inverse=True) for key in (fine_key, coarse_key)),
            strict=True,
        )
        return cls(codes[0], codes[1], tuple(map(str, names[0])), tuple(map(str, names[1])))

    def __len__(self) -> int:
        return self.fine.size

    def __repr__(self) -> str:
        return f"{len(self):,} cells, {len(self.coarse_names)} coarse classes, {len(self.fine_names)} fine classes"

    @property
    def relation(self) -> NDArray[np.uint8]:
        """True M, (K_F, K_C)."""
        relation = np.zeros((len(self.fine_names), len(self.coarse_names)), np.uint8)
        relation[self.fine, self.coarse] = 1
        return relation


@dataclass(frozen=True)
class SeenCells(Seen):
    """Cells, and what a model says of them."""

    adata: AnnData

    @classmethod
    def by(cls, path: Path, adata: AnnData, truth: Truth, asked: Sequence[str], *, device: str | None) -> SeenCells:
        """Let a saved model look at the cells; the results are written to `adata`, in memory.

        Raises
        ------
        ValueError
            If it is no model of cells, or was told other classes than these.
        """
        from falcon_sc import tl
        from falcon_sc.core.model import Falcon
        from falcon_sc.core.state.persistence import describe

        if describe(path)["metadata"].get("size") is not None:
            msg = f"model={str(path)!r} is one of images, and data are cells: give its images."
            raise ValueError(msg)
        model = Falcon.load(path, device=device)
        told = Told.by(model, truth.coarse_names, truth.fine_names)
        asked = check_asked(asked, told)
        tl.predict(adata, model, use_rep=model.metadata.get("use_rep"), key_added=_KEY)
        names = adata.uns[_KEY]["fine_names"].tolist()
        labels = adata.obs[f"{_KEY}_fine"].map(names.index).to_numpy(np.int64)
        proba, embedding = np.asarray(adata.obsm[f"{_KEY}_proba"]), np.asarray(adata.obsm[f"X_{_KEY}"])
        return cls(truth, told, labels, proba, embedding, asked, adata)

    def draw_embedding(self, names: list[str]) -> tuple[Figure, str]:
        """The t-SNE alone."""
        from falcon_sc import pl

        short = short_names(self.examples(names))
        named = {code: f"{text} {self.mostly(code)}" for code, text in short.items()}
        coarse = np.array(self.truth.coarse_names)[self.truth.coarse]
        ax = pl.embedding(self.embedding, self.labels, coarse, shaded=False, named=named, n_max=N_POINTS)
        n = min(N_POINTS, len(self.truth))
        figure: Figure = ax.figure  # type: ignore[assignment]  # of pyplot
        return figure, (
            f"t-SNE of {n:,} of {len(self.truth):,} cells in the embedding, in the colors of their coarse classes. Named are "
            f"the largest fine classes that the model found in {' and in '.join(names)}, with the true class of most cells in "
            "each and its share."
        )

    def draw_fine_classes(self, names: list[str]) -> tuple[Figure, str]:
        """Markers of the most confident cells, rows with the true classes."""
        notes = [self.mostly(code) if n else "no cell" for code, n in enumerate(self.sizes())]
        return self._markers(names, notes), (
            "Genes that mark the 50 most confident cells of each fine class against its siblings; beside its name the true "
            "fine class of most cells in it and its share."
        )

    def draw_subclasses(self, names: list[str]) -> tuple[Figure, str]:
        """Markers of the subclasses that were found in fine classes."""
        return self._markers(names, [counted(int(n), "cell", "cells") for n in self.sizes()]), (
            f"Genes that mark the 50 most confident cells of each subclass that was found within {', '.join(names)}. There "
            "are no true subclasses to compare with."
        )

    def _markers(self, names: list[str], notes: list[str]) -> Figure:
        """The plot of the package, with a note behind the name of each fine class."""
        from falcon_sc import pl, tl

        fine_names = [str(name) for name in self.adata.uns[_KEY]["fine_names"]]
        noted = {name: f"{name} ({note})" for name, note in zip(fine_names, notes, strict=True)}
        adata: Any = tl.rename(self.adata, noted, key=_KEY, copy=True)
        with_cells = {self.told.names[parent] for parent in self.told.parents()[self.labels]}
        shown = [name for name in names if name in with_cells]
        if not shown:
            msg = f"the model puts no cell into {', '.join(names)}"
            raise LeftOutError(msg)
        try:
            ax = pl.confident(adata, key=_KEY, coarse=shown)
        except (KeyError, ValueError) as error:
            msg = f"its genes cannot be drawn: {str(error).rstrip('.')}"
            raise LeftOutError(msg) from error
        figure: Figure = ax.figure  # type: ignore[assignment]  # of pyplot
        return figure
