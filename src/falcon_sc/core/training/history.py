"""What a run writes down of itself: one row an epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from falcon_sc.core.training.objective import Terms

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

COLUMNS = ("epoch", "iteration", *Terms._fields, "n_used", "relation_updates", "relation_changes", "lr")


class History:
    """One row an epoch, see `COLUMNS`: iterations are all that were done by its end, losses are means over it."""

    def __init__(self, columns: dict[str, list[float]] | None = None) -> None:
        self.columns = columns or {name: [] for name in COLUMNS}

    def add(self, *row: float) -> None:
        """Values in the order of `COLUMNS`."""
        for column, value in zip(self.columns.values(), row, strict=True):
            column.append(value)

    def last(self, name: str) -> float:
        """The value of the last epoch."""
        return self.columns[name][-1]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Each column as a 1-d array."""
        return {name: np.asarray(values) for name, values in self.columns.items()}


def raise_unless_finite(losses: Tensor, epoch: int, iteration: int) -> None:
    """Stop a run whose losses, in the order of `Terms`, are not numbers any more.

    Raises
    ------
    FloatingPointError
        Says what diverged, where, and what helps.
    """
    if not bool(torch.isfinite(losses).all()):
        msg = (
            f"training diverged in epoch {epoch}, iteration {iteration}: a loss is not finite "
            f"({dict(zip(Terms._fields, losses.tolist(), strict=True))}). Lower lr, keep batch_norm=True and "
            "max_grad_norm set, and check the input for extreme values. No labels are returned."
        )
        raise FloatingPointError(msg)
