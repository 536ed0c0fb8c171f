"""How many fine classes may be found: the one check of `n_fine` against the coarse classes and their members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from falcon_sc.core.data.labels import listed, match, whole_number
from falcon_sc.core.start.input import most_classes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from falcon_sc.core.data.taxonomy import Taxonomy

    type Find = Callable[[Iterable[Any], Sequence[Any]], list[int]]


def fine_budget(
    n_fine: int | Mapping[Any, int], taxonomy: Taxonomy, codes: NDArray[np.int64], n_samples: int
) -> int | NDArray[np.int64]:
    """The number of fine classes: the total, or one number for each column of M.

    Parameters
    ----------
    n_fine
        A whole number, or a mapping (a dict, a Series of pandas) from each coarse class to one. Its keys may be what
        pandas made of the labels: 3.0 for 3, "3" for 3 and 3 for "3".
    taxonomy
        The coarse classes.
    codes
        Column of M of each sample, none missing.
    n_samples
        Number of samples that there must be labels for.

    Raises
    ------
    TypeError, ValueError
        If `n_fine` cannot be had with these classes and samples; says what was found and what to do.
    """
    if len(codes) != n_samples:
        msg = f"coarse has {len(codes)} labels, X has {n_samples} samples."
        raise ValueError(msg)
    if (codes < 0).any():
        msg = f"coarse is missing for {int((codes < 0).sum())} samples: leave those out of fit, and predict them later."
        raise ValueError(msg)
    if isinstance(n_fine, pd.Series):  # whose items are Python's numbers: a 2.0 would no longer be known as pandas' own
        return _by_class(zip(n_fine.index, n_fine.to_numpy(), strict=True), taxonomy, codes)
    if hasattr(n_fine, "items"):
        return _by_class(n_fine.items(), taxonomy, codes)
    total = whole_number(n_fine)
    if total is None:
        msg = (
            "n_fine must be an int, or a mapping from each coarse class to an int, "
            f"found {n_fine!r} ({type(n_fine).__name__})."
        )
        raise TypeError(msg)
    return _checked_total(total, taxonomy, codes)


def _checked_total(total: int, taxonomy: Taxonomy, codes: NDArray[np.int64]) -> int:
    """Of several data sets, the one with the most coarse classes counts: the fine classes are first found there."""
    block = taxonomy.blocks[taxonomy.reference]
    n_coarse = block.stop - block.start
    sizes = np.bincount(codes, minlength=taxonomy.n_coarse)[block]
    n_most = int(most_classes(sizes).sum())
    if total < n_coarse:
        msg = (
            f"n_fine={total} is smaller than the number of coarse classes, {n_coarse}: every class needs at least one."
        )
        raise ValueError(msg)
    if total > n_most:
        where = f" of the data set {taxonomy.datasets[taxonomy.reference]!r}" if len(taxonomy.datasets) > 1 else ""
        msg = f"n_fine={total} is larger than the number of coarse labels{where}, {int(sizes.sum())}: ask for fewer."
        if total <= sizes.sum():
            msg = f"n_fine={total} is larger than {n_most}{where}: a coarse class of one or two members stays one fine class."
        raise ValueError(msg)
    return total


def _by_class(items: Iterable[tuple[Any, object]], taxonomy: Taxonomy, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    if len(taxonomy.datasets) > 1:
        msg = "n_fine cannot be a mapping with several data sets, which share their fine classes: give the total."
        raise ValueError(msg)
    given = _by_column(list(items), taxonomy.names, "n_fine")
    missing = [name for column, name in enumerate(taxonomy.names) if column not in given]
    if missing:
        msg = f"n_fine has no number for the coarse classes {listed(missing)}: give one for each class."
        raise ValueError(msg)
    return _counts(given, taxonomy, codes, "n_fine")


def check_fixed(
    fixed: Mapping[Any, int] | None,
    budget: int | NDArray[np.int64],
    taxonomy: Taxonomy,
    codes: NDArray[np.int64],
) -> NDArray[np.int64] | None:
    """The fixed numbers of fine classes, which only a total can have; None where there are none."""
    if fixed is None:
        return None
    if not isinstance(budget, int):
        msg = "fixed is given with an n_fine for every coarse class: change the numbers there, or give the total as n_fine."
        raise ValueError(msg)
    return fixed_numbers(fixed, budget, taxonomy, codes)


def check_shared_out(fixed: object, start: str) -> None:
    """A random start draws M of the total, and shares no rest out."""
    if fixed is not None and start == "random":
        msg = "fixed needs a start that shares the rest out, config has start='random': give n_fine as a mapping."
        raise ValueError(msg)


def fixed_numbers(
    fixed: Mapping[Any, int], total: int, taxonomy: Taxonomy, codes: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The numbers of fine classes of some coarse classes, int64 K_C, 0 for those that share the rest of the `total`.

    Raises
    ------
    TypeError, ValueError
        If they cannot be had, or leave too few or too many for the others; says what was found and what to do.
    """
    if len(taxonomy.datasets) > 1:
        msg = "fixed cannot be used with several data sets, which share their fine classes: give the total alone."
        raise ValueError(msg)
    numbers = _counts(fixed_by_column(fixed, taxonomy.names), taxonomy, codes, "fixed")
    free = numbers == 0
    n_most = int(most_classes(np.bincount(codes, minlength=taxonomy.n_coarse)[free]).sum())
    rest = total - int(numbers.sum())
    if not free.sum() <= rest <= n_most:
        others = f"from {free.sum()} to {n_most}" if free.any() else "none"
        msg = (
            f"n_fine={total} leaves {rest} for the coarse classes that fixed does not name, which can have {others}: "
            f"change n_fine or fixed."
        )
        raise ValueError(msg)
    return numbers


def fixed_by_column(
    fixed: Mapping[Any, int], names: tuple[Any, ...], find: Find = match
) -> dict[int, tuple[Any, object]]:
    """Of each coarse class (position in `names`) that `fixed` names: the key and the number, which is not checked.

    `find` gives the position of each key, -1 for none.

    Raises
    ------
    TypeError, ValueError
        If it is no mapping, or names no coarse class, or one twice.
    """
    if isinstance(fixed, pd.Series):
        items: list[tuple[Any, object]] = list(zip(fixed.index, fixed.to_numpy(), strict=True))
    elif hasattr(fixed, "items"):
        items = list(fixed.items())
    else:
        msg = f"fixed must be a mapping from coarse classes to ints, found {fixed!r} ({type(fixed).__name__})."
        raise TypeError(msg)
    return _by_column(items, names, "fixed", find)


def _counts(
    given: dict[int, tuple[Any, object]], taxonomy: Taxonomy, codes: NDArray[np.int64], argument: str
) -> NDArray[np.int64]:
    """The number of each column of M, checked against its members; 0 where none is given."""
    counts = np.zeros(taxonomy.n_coarse, dtype=np.int64)
    sizes = np.bincount(codes, minlength=taxonomy.n_coarse)
    for column, (key, number) in given.items():
        what, size = f"{argument}[{key!r}]", sizes[column]
        count = whole_number(number)
        if count is None:
            msg = f"{what} must be an int, found {number!r} ({type(number).__name__})."
            raise TypeError(msg)
        if not 1 <= count <= size:
            msg = f"{what}={count} must be from 1 to the number of members of that class, {size}."
            raise ValueError(msg)
        counts[column] = count
    return counts


def _by_column(
    items: list[tuple[Any, object]], names: tuple[Any, ...], argument: str, find: Find = match
) -> dict[int, tuple[Any, object]]:
    """Each column of M with the key and the number that were given for it."""
    given: dict[int, tuple[Any, object]] = {}
    columns = find([key for key, _ in items], names)
    unknown = [key for (key, _), column in zip(items, columns, strict=True) if column < 0]
    if unknown:
        msg = f"{argument} names {listed(unknown)}, which is no coarse class here. Coarse classes: {listed(names)}."
        raise ValueError(msg)
    for item, column in zip(items, columns, strict=True):
        if column in given:
            both = f"{given[column][0]!r} and {item[0]!r}"
            msg = f"{argument} names the coarse class {names[column]!r} twice, as {both}: once."
            raise ValueError(msg)
        given[column] = item
    return given
