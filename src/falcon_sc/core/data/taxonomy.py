"""The coarse classes of one data set or of several, as columns of one relation matrix.

Several data sets (section 3.4) each bring their own coarse classes and their own M_l. Here they stand side by side:
M = [M_1 | M_2 | ...], and a sample's class is a column of it, so that eq. 17 is eq. 3 with no case of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.core.data.labels import check_one_kind, distinct, listed, match

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Taxonomy:
    """Names of the columns of M, and the data set that each belongs to."""

    names: tuple[Any, ...]
    datasets: tuple[Any, ...]
    dataset_of_column: NDArray[np.int64]

    @classmethod
    def of(cls, coarse: ArrayLike, dataset: ArrayLike | None = None) -> Taxonomy:
        """The sorted coarse classes of each data set in turn; missing labels are left out.

        Raises
        ------
        ValueError, TypeError
            If labels cannot be kept exactly, see :func:`falcon_sc.core.data.labels.distinct`, or are of several
            kinds; if `dataset` has another length, or is missing for a sample.
        """
        codes, labels = distinct(coarse, "coarse")
        check_one_kind(labels, "coarse")
        if dataset is None:
            return cls(tuple(sorted(labels)), (0,), np.zeros(len(labels), dtype=np.int64))
        set_codes, set_names = distinct(dataset, "dataset")
        check_one_kind(set_names, "dataset")
        _check_dataset(set_codes, codes)
        names: list[Any] = []
        columns: list[int] = []
        for position, name in enumerate(sorted(set_names)):
            inside = np.unique(codes[(set_codes == set_names.index(name)) & (codes >= 0)])
            names += sorted(labels[code] for code in inside)
            columns += [position] * len(inside)
        return cls(tuple(names), tuple(sorted(set_names)), np.asarray(columns, dtype=np.int64))

    @property
    def n_coarse(self) -> int:
        """Number of columns of M."""
        return len(self.names)

    @property
    def blocks(self) -> list[slice]:
        """Columns of each data set."""
        edges = np.searchsorted(self.dataset_of_column, np.arange(len(self.datasets) + 1))
        return [slice(int(a), int(b)) for a, b in pairwise(edges)]

    @property
    def reference(self) -> int:
        """The data set (its position) that says most about the fine classes: the first of those with most coarse ones."""
        return max(range(len(self.blocks)), key=lambda d: self.blocks[d].stop - self.blocks[d].start)

    def encode(self, coarse: ArrayLike, dataset: ArrayLike | None = None) -> NDArray[np.int64]:
        """Column of each sample; -1 where the coarse label is missing.

        Raises
        ------
        ValueError
            If there are coarse labels or data sets that this taxonomy does not have.
        """
        codes, labels = distinct(coarse, "coarse")
        if dataset is None:
            if len(self.datasets) > 1:
                msg = (
                    f"dataset is missing: the model knows the data sets {list(self.datasets)}, say which each sample "
                    "is from."
                )
                raise ValueError(msg)
            set_codes, set_places = np.zeros(len(codes), dtype=np.int64), [0]
        else:
            set_codes, sets = distinct(dataset, "dataset")
            _check_dataset(set_codes, codes)
            set_places = match(sets, self.datasets)
            if -1 in set_places:
                unknown = [name for name, place in zip(sets, set_places, strict=True) if place < 0]
                msg = f"dataset holds {listed(unknown)}, the model knows {listed(self.datasets)}."
                raise ValueError(msg)
        columns = self._columns(labels)[np.asarray(set_places, dtype=np.int64)]
        found = np.where(codes < 0, -1, columns[set_codes, codes]) if labels else codes
        unknown = sorted({str(labels[code]) for code in np.unique(codes[(found < 0) & (codes >= 0)])})
        if unknown:
            msg = f"coarse has labels that the model does not know: {unknown[:10]}; it knows {list(self.names)[:50]}."
            raise ValueError(msg)
        return np.asarray(found, dtype=np.int64)

    def _columns(self, labels: Sequence[Any]) -> NDArray[np.int64]:
        """Column of each label in each data set, (data sets, labels); -1 where that has no such class."""
        found = np.full((len(self.datasets), len(labels)), -1, dtype=np.int64)
        for row, block in zip(found, self.blocks, strict=True):
            row[:] = [place + block.start if place >= 0 else -1 for place in match(labels, self.names[block])]
        return found


def _check_dataset(dataset: NDArray[np.int64], coarse: NDArray[np.int64]) -> None:
    if len(dataset) != len(coarse):
        msg = f"dataset has {len(dataset)} entries, coarse has {len(coarse)} labels: give one of each for every sample."
        raise ValueError(msg)
    missing = (dataset < 0) & (coarse >= 0)
    if missing.any():
        msg = f"dataset is missing for {int(missing.sum())} samples with a coarse label: say which each sample is from."
        raise ValueError(msg)
