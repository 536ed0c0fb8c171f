"""What a fit is asked: samples, their coarse classes, and how many fine classes to find; checked once, carried whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from falcon_sc.core.data.batches import Samples
from falcon_sc.core.data.budget import check_fixed, fine_budget
from falcon_sc.core.data.inputs import as_input, n_samples
from falcon_sc.core.data.taxonomy import Taxonomy
from falcon_sc.core.start.input import StartInput

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    import numpy as np
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Problem:
    """N samples in K_C coarse classes. Made by :meth:`of`, which checks all of it."""

    X: Any  # (N, features), a finite float32 matrix, or samples that are read in batches
    start_input: StartInput | None  # what the start clusters, if not `X`
    taxonomy: Taxonomy
    codes: NDArray[np.int64]  # (N,), column of M of each sample
    budget: int | NDArray[np.int64]  # number of fine classes: the total, or one number for each column of M
    fixed: NDArray[np.int64] | None = None  # of a total: the numbers of some columns of M, 0 for the others

    @classmethod
    def of(
        cls,
        X: Any,
        coarse: ArrayLike,
        n_fine: int | Mapping[Any, int],
        *,
        fixed: Mapping[Any, int] | None = None,
        dataset: ArrayLike | None = None,
        start_input: StartInput | None = None,
    ) -> Self:
        """Check the arguments of :meth:`falcon_sc.Falcon.fit` and put them together.

        Raises
        ------
        TypeError, ValueError
            For inputs that do not fit together; says which, what was found and what to do.
        """
        X = as_input(X)
        taxonomy, codes, budget = check_classes(coarse, n_fine, n_samples(X), dataset=dataset)
        _check_start_input(X, start_input)
        return cls(X, start_input, taxonomy, codes, budget, check_fixed(fixed, budget, taxonomy, codes))

    @property
    def numbers_are_known(self) -> bool:
        """Whether each coarse class keeps its number of fine classes (table O1); a total alone leaves M to eq. 14.

        Where some numbers are fixed, those that the start gives to the others are kept as well.
        """
        return self.fixed is not None or not isinstance(self.budget, int)


def check_classes(
    coarse: ArrayLike, n_fine: int | Mapping[Any, int], n_samples: int, *, dataset: ArrayLike | None
) -> tuple[Taxonomy, NDArray[np.int64], int | NDArray[np.int64]]:
    """The coarse classes, the column of M of each sample, and the checked numbers of fine classes."""
    taxonomy = Taxonomy.of(coarse, dataset)
    codes = taxonomy.encode(coarse, dataset)
    return taxonomy, codes, fine_budget(n_fine, taxonomy, codes, n_samples)


def _check_start_input(X: Any, start_input: StartInput | None) -> None:
    """Samples that are no matrix need features, in which the start clusters and neighbors are searched.

    Raises
    ------
    ValueError
        If there are none, or not one row for each sample.
    """
    if start_input is not None and not isinstance(start_input, StartInput):
        msg = f"start_input must be a StartInput, falcon_sc.core.start.input.StartInput(matrix, kind), found {type(start_input).__name__}."
        raise TypeError(msg)
    if isinstance(X, Samples) and (start_input is None or start_input.kind != "embedding"):
        msg = "X is no matrix: give start_input=StartInput(features, 'embedding'), a row of features for each sample."
        raise ValueError(msg)
    if start_input is not None and start_input.matrix.shape[0] != n_samples(X):
        msg = f"start_input has {start_input.matrix.shape[0]} rows, X has {n_samples(X)} samples."
        raise ValueError(msg)
