"""What a saved model says of samples whose true classes are known, and the figures that follow from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from falcon_sc.benchmarks.paper._figure_classes import check_level, mostly, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from falcon_sc.benchmarks.paper._figure_classes import Told

N_POINTS = 2000  # of t-SNE
_LETTERS = "AB"  # of the two coarse classes in figure 2
_N_EXAMPLES = 6  # fine classes of each of these: more would be too small to see


class Truth(Protocol):
    """True classes of N samples, by their positions among the names; :class:`falcon_sc.vision.datasets.ImageData` is one."""

    @property
    def fine(self) -> NDArray[np.int64]:
        """(N,)."""

    @property
    def coarse(self) -> NDArray[np.int64]:
        """(N,)."""

    @property
    def fine_names(self) -> tuple[str, ...]:
        """K_F names."""

    @property
    def coarse_names(self) -> tuple[str, ...]:
        """K_C names."""

    @property
    def relation(self) -> NDArray[np.uint8]:
        """(K_F, K_C)."""

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Seen(ABC):
    """Samples, and what a model says of them, coarse classes unknown.

    `labels`, the fine class of each sample, is (N,), `proba` (N, K_F), `embedding` (N, d); `asked` are the classes that the
    user wants to see.
    """

    truth: Truth
    told: Told
    labels: NDArray[np.int64]
    proba: NDArray[np.float32]
    embedding: NDArray[np.float32]
    asked: Sequence[str]

    def draw(self, figure: str) -> tuple[Figure, str]:
        """A figure by its number in the paper, and what is on it.

        Raises
        ------
        LeftOutError
            If this model and these samples do not give it.
        """
        check_level(figure, self.told)
        names = shown(figure, self.told, self.labels, self.asked)
        if figure == "2":
            return self.draw_embedding(names)
        return self.draw_fine_classes(names) if figure in ("3", "K1") else self.draw_subclasses(names)

    @abstractmethod
    def draw_embedding(self, names: list[str]) -> tuple[Figure, str]:
        """A t-SNE of the embedding, with the fine classes of at most two coarse ones."""

    @abstractmethod
    def draw_fine_classes(self, names: list[str]) -> tuple[Figure, str]:
        """The most confident samples of the fine classes of these coarse classes."""

    @abstractmethod
    def draw_subclasses(self, names: list[str]) -> tuple[Figure, str]:
        """The same for a model that was told the fine classes."""

    def examples(self, names: Sequence[str]) -> dict[str, list[int]]:
        """The largest fine classes of each coarse class, under its letter; classes without a sample are none."""
        return {letter: self._largest(name) for letter, name in zip(_LETTERS, names, strict=False)}

    def mostly(self, code: int) -> str:
        """What most samples of a fine class truly are."""
        return mostly(self.truth.fine[self.labels == code], self.truth.fine_names)

    def sizes(self) -> NDArray[np.int64]:
        """Samples of each fine class, (K_F,)."""
        return np.bincount(self.labels, minlength=len(self.told.relation)).astype(np.int64)

    def _largest(self, name: str) -> list[int]:
        sizes = self.sizes()
        sizes[self.told.relation[:, self.told.names.index(name)] == 0] = 0
        largest = np.argsort(-sizes, kind="stable")[:_N_EXAMPLES]
        return [int(code) for code in np.sort(largest) if sizes[code]]


def short_names(examples: dict[str, list[int]]) -> dict[int, str]:
    """A1, A2, B1 and so on."""
    return {code: f"{letter}{i}" for letter, own in examples.items() for i, code in enumerate(own, start=1)}


def counted(n: int, one: str, several: str) -> str:
    """A number of samples in words."""
    return f"no {one}" if n == 0 else f"{n:,} {one if n == 1 else several}"
