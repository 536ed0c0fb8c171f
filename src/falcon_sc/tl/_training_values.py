"""What the values of the training cells were: kept with a model, so that new cells can be brought to the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from falcon_sc._blocks import TARGET_SUM, factors_of, sums_and_squares
from falcon_sc._kinds import equal_sums, rates_behind
from falcon_sc.core.data.rows import each_block

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scipy import sparse

    from falcon_sc._expression import Expression
    from falcon_sc.core.model import Falcon

_KEY = "training_values"  # in the metadata of a model
_DIGITS = 7  # of float32


class WithMetadata(Protocol):
    """A model, in memory or in a folder."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What `discover` keeps of a run beside the model."""


@dataclass(frozen=True)
class TrainingValues:
    """What a model was trained on.

    Parameters
    ----------
    kind
        What the values were taken for; "continuous" where the user said so.
    total
        What the rates of every training cell, ``exp(x) - 1`` of the log-normalized values x, sum to over `genes`. None
        where the cells have different sums: genes were removed after the normalization, or there never was a total.
    genes
        str: the genes with a value in at least one training cell; none for continuous values.
    rates
        float64: mean rate of each of them over the training cells.
    means, variances
        float64: of each feature of the model over the training cells.
    limits
        Smallest and largest feature of continuous values.
    """

    kind: Literal["counts", "lognorm", "linear", "continuous"]
    total: float | None
    genes: np.ndarray
    rates: np.ndarray
    means: np.ndarray
    variances: np.ndarray
    limits: tuple[float, float] | None = None

    @classmethod
    def of(cls, expression: Expression, features: Any, names: np.ndarray) -> TrainingValues:
        """From the expression and the features of the training cells, and the names of all genes, str, n_vars."""
        expressed, n = expression.expressed, int((expression.n_genes_of_cells > 0).sum())
        total: float | None = TARGET_SUM
        if expression.kind == "lognorm":
            of_cells, by_block = zip(*each_block(expression.values, _sums_of_rates), strict=True)
            sums = np.concatenate(of_cells)
            total = float(np.median(sums[sums > 0])) if equal_sums(sums) else None
        else:
            by_block = each_block(expression.values, _scaled_sums)
        of_genes = np.sum(by_block, axis=0)
        return cls(expression.kind, total, names[expressed], of_genes[expressed] / n, *_moments(features))

    @classmethod
    def of_continuous(cls, features: np.ndarray) -> TrainingValues:
        """From the features of the training cells."""
        nothing = np.empty(0)
        limits = float(features.min()), float(features.max())
        return cls("continuous", None, nothing.astype(np.str_), nothing, *_moments(features), limits)

    @classmethod
    def of_model(cls, model: WithMetadata) -> TrainingValues | None:
        """Read what `discover` kept; None for a model that was fitted on arrays."""
        kept = model.metadata.get(_KEY)
        if kept is None:
            return None
        arrays = {name: np.asarray(kept[name], dtype=np.float64) for name in ("rates", "means", "variances")}
        limits = None if kept["limits"] is None else tuple(kept["limits"])
        return cls(kept["kind"], kept["total"], np.asarray(kept["genes"], dtype=np.str_), **arrays, limits=limits)

    def expected(self, shared: np.ndarray) -> float:
        """What the rates of a cell are expected to sum to over some of `genes` (bool), as they do in training."""
        whole = float(self.rates.sum())
        return (whole if self.total is None else self.total) * self.share(shared)

    def share(self, shared: np.ndarray) -> float:
        """What part of the rates of the training cells lies in some of `genes` (bool)."""
        return float(self.rates[shared].sum() / self.rates.sum())

    def keep(self, model: Falcon) -> None:
        """Write it into the metadata of `model`, which are saved with it."""
        model.metadata[_KEY] = {
            "kind": self.kind,
            "total": self.total,
            "genes": self.genes.tolist(),
            "rates": _rounded(self.rates),
            "means": _rounded(self.means),
            "variances": _rounded(self.variances),
            "limits": None if self.limits is None else list(self.limits),
        }


def _sums_of_rates(logarithms: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    rates = rates_behind(logarithms)
    return np.asarray(rates.sum(axis=1)).ravel(), np.asarray(rates.sum(axis=0)).ravel()


def _scaled_sums(values: sparse.csr_matrix) -> np.ndarray:
    return np.asarray(values.T @ factors_of(values))


def _moments(matrix: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each column."""
    if isinstance(matrix, np.ndarray):
        return matrix.mean(axis=0, dtype=np.float64), matrix.var(axis=0, dtype=np.float64)
    means, squares = np.sum(each_block(matrix, sums_and_squares), axis=0) / matrix.shape[0]
    return means, np.maximum(squares - means**2, 0)


def _rounded(numbers: np.ndarray) -> list[float]:
    return [float(f"{number:.{_DIGITS}g}") for number in numbers]
