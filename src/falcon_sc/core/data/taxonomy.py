"""The coarse classes of one data set or of several, as columns of one relation matrix.

Several data sets (section 3.4) each bring their own coarse classes and their own M_l. Here they stand side by side:
M = [M_1 | M_2 | ...], and a sample's class is a column of it, so that eq. 17 is eq. 3 with no case of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Taxonomy:
    """Names of the columns of M, and the data set that each belongs to."""

    names: tuple[Any, ...]
    datasets: tuple[Any, ...]
    dataset_of_column: NDArray[np.int64]

    @classmethod
    def of(cls, coarse: ArrayLike, dataset: ArrayLike | None = None) -> Taxonomy:
        """The sorted coarse classes of each data set in turn."""
        frame = _frame(coarse, dataset)
        datasets = tuple(sorted(frame["dataset"].unique().tolist()))
        names: list[Any] = []
        columns: list[int] = []
        for position, name in enumerate(datasets):
            own = sorted(frame.loc[frame["dataset"] == name, "coarse"].dropna().unique().tolist())
            names += own
            columns += [position] * len(own)
        return cls(tuple(names), datasets, np.asarray(columns, dtype=np.int64))

    @property
    def n_coarse(self) -> int:
        """Number of columns of M."""
        return len(self.names)

    @property
    def blocks(self) -> list[slice]:
        """Columns of each data set."""
        edges = np.searchsorted(self.dataset_of_column, np.arange(len(self.datasets) + 1))
        return [slice(int(a), int(b)) for a, b in pairwise(edges)]

    def encode(self, coarse: ArrayLike, dataset: ArrayLike | None = None) -> NDArray[np.int64]:
        """Column of each sample; -1 where the coarse label is missing.

        Raises
        ------
        ValueError
            If there are coarse labels or data sets that this taxonomy does not have.
        """
        frame = _frame(coarse, dataset)
        if dataset is None and len(self.datasets) > 1:
            msg = f"dataset is missing: the model knows the data sets {list(self.datasets)}, say which each sample is from."
            raise ValueError(msg)
        if dataset is None:
            frame["dataset"] = self.datasets[0]
        keys = pd.MultiIndex.from_arrays(
            [[self.datasets[d] for d in self.dataset_of_column], list(self.names)], names=["dataset", "coarse"]
        )
        codes = keys.get_indexer(pd.MultiIndex.from_frame(frame[["dataset", "coarse"]])).astype(np.int64)
        unknown = frame.loc[(codes < 0) & frame["coarse"].notna().to_numpy(), "coarse"].unique().tolist()
        if unknown:
            msg = f"coarse has labels that the model does not know: {unknown[:10]}; it knows {list(self.names)[:50]}."
            raise ValueError(msg)
        return codes


def _frame(coarse: ArrayLike, dataset: ArrayLike | None) -> pd.DataFrame:
    labels = pd.Series(np.asarray(coarse, dtype=object), dtype=object)
    sets = 0 if dataset is None else np.asarray(dataset, dtype=object)
    return pd.DataFrame({"coarse": labels, "dataset": pd.Series(sets, index=labels.index, dtype=object)})
