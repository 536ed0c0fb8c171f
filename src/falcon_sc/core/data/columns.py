"""Columns of a table go by their names, wherever they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from falcon_sc.core.data.labels import listed

if TYPE_CHECKING:
    from collections.abc import Iterable


def column_names(table: Any) -> list[str] | None:
    """What the columns are called, if they can be told apart by it; None of all else: arrays, and columns that are numbered."""
    import pandas as pd  # here, because light parts import this file as well

    if not isinstance(table, pd.DataFrame) or not table.columns.is_unique:
        return None
    names = table.columns.tolist()
    return [str(name) for name in names] if all(isinstance(name, str) for name in names) else None


def by_name(table: Any, names: Iterable[Any] | None, what: str) -> Any:
    """The columns of a table that are called `names`, in this order; what has no names, or is not to go by any, as it is.

    Raises
    ------
    ValueError
        If some are not there; `what` says how to call the table.
    """
    own = column_names(table)
    if own is None or names is None:
        return table
    wanted = [str(name) for name in names]
    missing = [name for name in wanted if name not in own]
    if missing:
        msg = (
            f"{what} has no columns {listed(missing)}, by whose names the model goes; it has {listed(own)}. Call them as in "
            "training, or, if they stand in the same order, give the numbers alone: .to_numpy()."
        )
        raise ValueError(msg)
    return table if wanted == own else table[wanted]
