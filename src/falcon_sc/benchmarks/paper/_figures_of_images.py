"""Figures 2, 3, 4, K1 and L1 of the paper for images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.benchmarks.paper._figure_classes import Told, check_asked, check_level, mostly, of_one_class, shown
from falcon_sc.pl._most_confident import most_confident
from falcon_sc.pl._style import LITERAL, scaled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from torch import nn

    from falcon_sc.core.data.batches import Views
    from falcon_sc.vision.datasets import ImageData

_N_IMAGES = 3  # "three most confident predictions"
_N_POINTS = 2000  # of t-SNE
_LETTERS = "AB"  # of the two coarse classes in figure 2
_N_EXAMPLES = 6  # fine classes of each of these: more would be too small to see


@dataclass(frozen=True)
class SeenImages:
    """Images with their true classes, and what a model says of them, coarse classes unknown.

    `proba` is (N, K_F), `embedding` (N, d); `asked` are the classes that the user wants to see.
    """

    data: ImageData
    told: Told
    proba: NDArray[np.float32]
    embedding: NDArray[np.float32]
    asked: Sequence[str]

    @classmethod
    def by(
        cls,
        path: Path,
        data: ImageData,
        asked: Sequence[str],
        *,
        backbone: nn.Module | None,
        views: Views | None,
        device: str | None,
    ) -> SeenImages:
        """Let a saved model look at the images.

        Raises
        ------
        ValueError
            If it is no model of images, or was told other classes than these.
        """
        from falcon_sc.core.state.persistence import describe
        from falcon_sc.vision import image_samples, load

        about = describe(path)
        size = about["metadata"].get("size")
        if size is None:
            msg = (
                f"model={str(path)!r} was fitted on {about['n_features']} features, not on images: give one that "
                "falcon_sc.vision.discover saved, or the cells of the model as an h5ad file."
            )
            raise ValueError(msg)
        model = load(path, backbone=backbone, views=views, device=device)
        told = Told.by(model, data.coarse_names, data.fine_names)
        asked = check_asked(asked, told)
        samples = image_samples(data.images, size=round(size * 8 / 7), device=model.device_)
        found = model.infer(samples)
        return cls(data, told, found.proba, found.embedding, asked)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Fine class of each image, (N,)."""
        return self.proba.argmax(axis=1).astype(np.int64)

    def draw(self, figure: str) -> tuple[Figure, str]:
        """A figure by its number in the paper, and what is on it.

        Raises
        ------
        LeftOutError
            If this model and these images do not give it.
        """
        check_level(figure, self.told)
        names = shown(figure, self.told, self.labels, self.asked)
        draw: Callable[[list[str]], tuple[Figure, str]] = {
            "2": self._embedding,
            "3": self._fine_classes,
            "K1": self._fine_classes,
        }.get(figure, self._subclasses)
        return draw(names)

    def _embedding(self, names: list[str]) -> tuple[Figure, str]:
        """The t-SNE in the middle, examples of two coarse classes on its sides."""
        from matplotlib.figure import Figure

        from falcon_sc import pl

        figure = Figure(figsize=(11.5, 7), layout="constrained")
        left, middle, right = figure.subplots(1, 3, width_ratios=[1, 2.6, 1])
        examples = {letter: self._largest(name) for letter, name in zip(_LETTERS, names, strict=False)}
        short = {code: f"{letter}{i}" for letter, own in examples.items() for i, code in enumerate(own, start=1)}
        coarse = np.array(self.data.coarse_names)[self.data.coarse]
        shades = self._shades()
        named = {code: text for code, text in short.items() if code in shades}
        pl.embedding(self.embedding, shades, coarse, named=named, n_max=_N_POINTS, ax=middle)
        _legend_below(figure, middle)
        above = [f"{short.get(code, '')}  {self._mostly(code)}" for code in range(len(self.told.relation))]
        right.set_axis_off()  # for one class alone
        for ax, (letter, own), name in zip((left, right), examples.items(), names, strict=False):
            ax.set_axis_on()
            relation = np.zeros_like(self.told.relation)
            relation[own] = self.told.relation[own]
            self._confident(name, relation=relation, fine_names=above, n_columns=1, ax=ax)
            ax.set_ylabel("")
            ax.set_title(f"{letter}: {name}", fontsize=scaled(10), loc="left", **LITERAL)
        n = min(_N_POINTS, len(self.data))
        return figure, (
            f"t-SNE of {n:,} of {len(self.data):,} images in the embedding; colors are their coarse classes, shades the "
            f"fine classes that the model puts them in (the darkest: one of another coarse class). On the sides the three most confident images of the largest fine classes "
            f"(up to {_N_EXAMPLES}) in {' and in '.join(names)}, with the true class of most images in each and its share."
        )

    def _shades(self) -> NDArray[np.int64]:
        """Fine class of each image, (N,), or a number below 0 for each coarse class where that is not the image's own."""
        coarse_of = np.array([self.data.coarse_names.index(name) for name in self.told.names])[self.told.parents()]
        return np.where(coarse_of[self.labels] == self.data.coarse, self.labels, -1 - self.data.coarse)

    def _largest(self, name: str) -> list[int]:
        """The largest fine classes in one that the model was told, in the order of their numbers; those without an image are not shown."""
        sizes = np.bincount(self.labels, minlength=len(self.told.relation))
        sizes[self.told.relation[:, self.told.names.index(name)] == 0] = 0
        largest = np.argsort(-sizes, kind="stable")[:_N_EXAMPLES]
        return [int(code) for code in np.sort(largest) if sizes[code]]

    def _fine_classes(self, names: list[str]) -> tuple[Figure, str]:
        """The most confident images of the fine classes, with the true ones."""
        above = [self._mostly(code) for code in range(len(self.told.relation))]
        axes = self._confident(names, fine_names=above)
        codes = np.flatnonzero(self.told.relation[:, [self.told.names.index(name) for name in names]].any(axis=1))
        alike, n = of_one_class([most_confident(self.proba, int(code), _N_IMAGES) for code in codes], self.data.fine)
        empty = codes.size - n
        caption = (
            "The three most confident images of each fine class, a row for each coarse class by the relations that were "
            "learned; above them the true fine class of most images in it and its share. Images of one true class "
            f"alone: {alike} of {n} fine classes"
        )
        return axes[0].figure, caption + (f"; {empty} have no image." if empty else ".")

    def _subclasses(self, names: list[str]) -> tuple[Figure, str]:
        """The most confident images of the subclasses that were found in fine classes."""
        sizes = np.bincount(self.labels, minlength=len(self.told.relation))
        axes = self._confident(names, fine_names=[_counted(int(n)) for n in sizes])
        return axes[0].figure, (
            f"The three most confident images of each subclass that was found within {', '.join(names)}, and the number of "
            "images in it. There are no true subclasses to compare with."
        )

    def _mostly(self, code: int) -> str:
        return mostly(self.data.fine[self.labels == code], self.data.fine_names)

    def _confident(
        self, coarse: str | list[str], *, relation: NDArray[Any] | None = None, **options: Any
    ) -> NDArray[Any]:
        from falcon_sc import pl

        what = (self.data.images, self.proba, self.told.relation if relation is None else relation)
        return pl.confident_images(*what, coarse_names=self.told.names, coarse=coarse, n_images=_N_IMAGES, **options)


def _counted(n: int) -> str:
    return "no image" if n == 0 else "1 image" if n == 1 else f"{n:,} images"


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
