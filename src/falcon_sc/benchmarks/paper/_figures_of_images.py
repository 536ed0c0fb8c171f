"""Figures 2, 3, 4, K1 and L1 of the paper for images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.benchmarks.paper._figure_classes import Told, check_asked, of_one_class
from falcon_sc.benchmarks.paper._figure_seen import N_POINTS, Seen, counted, short_names
from falcon_sc.pl._most_confident import most_confident
from falcon_sc.pl._style import LITERAL, scaled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from torch import nn

    from falcon_sc.core.data.batches import Views
    from falcon_sc.vision.datasets import ImageData

_N_IMAGES = 3  # "three most confident predictions"


@dataclass(frozen=True)
class SeenImages(Seen):
    """Images, and what a model says of them."""

    images: NDArray[Any]

    @classmethod
    def by(
        cls,
        path: Path,
        data: ImageData,
        asked: Sequence[str],
        *,
        features: NDArray[Any] | None,
        backbone: nn.Module | None,
        views: Views | None,
        device: str | None,
    ) -> SeenImages:
        """Let a saved model look at the images, or at the features of them that it was fitted on.

        Raises
        ------
        ValueError
            If it looks at the other of the two, or was told other classes than these.
        """
        from falcon_sc.core.model import Falcon
        from falcon_sc.core.state.persistence import describe
        from falcon_sc.vision import image_samples, load

        about = describe(path)
        size = about["metadata"].get("size")
        if (size is None) != (features is not None):
            found = "images" if size is not None else f"{about['n_features']} features of them, not on images"
            what = "leave features out" if size is not None else "give these (--features)"
            msg = f"model={str(path)!r} was fitted on {found}: {what}."
            raise ValueError(msg)
        model = (
            Falcon.load(path, device=device)
            if size is None
            else load(path, backbone=backbone, views=views, device=device)
        )
        told = Told.by(model, data.coarse_names, data.fine_names)
        asked = check_asked(asked, told)
        if features is None:
            seen = model.infer(image_samples(data.images, size=round(size * 8 / 7), device=model.device_))
        else:
            seen = model.infer(features)
        return cls(data, told, seen.labels, seen.proba, seen.embedding, asked, data.images)

    def draw_embedding(self, names: list[str]) -> tuple[Figure, str]:
        """The t-SNE in the middle, examples of two coarse classes on its sides."""
        from matplotlib.figure import Figure

        from falcon_sc import pl

        figure = Figure(figsize=(11.5, 7), layout="constrained")
        left, middle, right = figure.subplots(1, 3, width_ratios=[1, 2.6, 1])
        examples = self.examples(names)
        short = short_names(examples)
        coarse = np.array(self.truth.coarse_names)[self.truth.coarse]
        pl.embedding(self.embedding, self.labels, coarse, shaded=False, named=short, n_max=N_POINTS, ax=middle)
        _legend_below(figure, middle)
        above = [f"{short.get(code, '')}  {self.mostly(code)}" for code in range(len(self.told.relation))]
        right.set_axis_off()  # for one class alone
        for ax, (letter, own), name in zip((left, right), examples.items(), names, strict=False):
            ax.set_axis_on()
            relation = np.zeros_like(self.told.relation)
            relation[own] = self.told.relation[own]
            self._confident(name, relation=relation, fine_names=above, n_columns=1, ax=ax)
            ax.set_ylabel("")
            ax.set_title(f"{letter}: {name}", fontsize=scaled(10), loc="left", **LITERAL)
        n = min(N_POINTS, len(self.truth))
        return figure, (
            f"t-SNE of {n:,} of {len(self.truth):,} images in the embedding, in the colors of their coarse classes. On the "
            "sides the three most confident images of the largest fine classes that the model found in "
            f"{' and in '.join(names)}, with the true class of most images in each and its share."
        )

    def draw_fine_classes(self, names: list[str]) -> tuple[Figure, str]:
        """The most confident images of the fine classes, with the true ones."""
        above = [self.mostly(code) for code in range(len(self.told.relation))]
        axes = self._confident(names, fine_names=above)
        codes = np.flatnonzero(self.told.relation[:, [self.told.names.index(name) for name in names]].any(axis=1))
        alike, n = of_one_class(
            [most_confident(self.proba, self.labels, int(code), _N_IMAGES) for code in codes], self.truth.fine
        )
        empty = codes.size - n
        caption = (
            "The three most confident images of each fine class, a row for each coarse class by the relations that were "
            "learned; above them the true fine class of most images in it and its share. Images of one true class "
            f"alone: {alike} of {n} fine classes"
        )
        return axes[0].figure, caption + (f"; {empty} have no image." if empty else ".")

    def draw_subclasses(self, names: list[str]) -> tuple[Figure, str]:
        """The most confident images of the subclasses that were found in fine classes."""
        axes = self._confident(names, fine_names=[counted(int(n), "image", "images") for n in self.sizes()])
        return axes[0].figure, (
            f"The three most confident images of each subclass that was found within {', '.join(names)}, and the number of "
            "images in it. There are no true subclasses to compare with."
        )

    def _confident(
        self, coarse: str | list[str], *, relation: NDArray[Any] | None = None, **options: Any
    ) -> NDArray[Any]:
        from falcon_sc import pl

        what = (self.images, self.proba, self.told.relation if relation is None else relation)
        names = self.told.names
        return pl.confident_images(
            *what, labels=self.labels, coarse_names=names, coarse=coarse, n_images=_N_IMAGES, **options
        )


def _legend_below(figure: Figure, ax: Axes) -> None:
    """The legend of the axes moves below the figure, where it is in the way of nothing."""
    own: Any = ax.get_legend()
    names = [text.get_text() for text in own.get_texts()]
    own.remove()
    below = figure.legend(
        own.legend_handles, names, loc="outside lower center", ncols=5, frameon=False, fontsize=scaled(8)
    )
    for text in below.get_texts():
        text.set(**LITERAL)
