"""Labels as people keep them: kept exactly, and matched by what they mean.

A label is text, a whole number or a truth value. pandas makes 3 a 3.0 as soon as another label is missing, so whole
floats are taken for whole numbers; what a float cannot hold exactly is refused, not rounded.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

_MAX_LISTED = 20
_MISSING_AS_TEXT = {"", "nan", "none", "na", "n/a", "<na>", "nat", "null"}


def listed(names: Iterable[object]) -> str:
    """Names for an error message: the first twenty, and how many more there are."""
    quoted = [repr(str(name)) for name in names]
    more = f" and {len(quoted) - _MAX_LISTED} more" if len(quoted) > _MAX_LISTED else ""
    return (", ".join(quoted[:_MAX_LISTED]) + more) or "none"


def can_be_written(text: str) -> bool:
    """Whether it is whole characters: half of one, a lone surrogate, is what no file takes."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def in_a_line(name: object) -> str:
    """A name for a line of the log, which line breaks and their like would tear: in quotes, if it has some."""
    text = str(name)
    return text if text.isprintable() else repr(text)


def whole_number(value: object) -> int | None:
    """The number that an int, or a whole number of numpy or pandas such as ``np.float64(3)``, stands for, else None."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, bool | np.bool_):
        return None
    if isinstance(value, Integral):
        return int(value)
    return int(value) if isinstance(value, np.floating) and float(value).is_integer() else None


def plain_label(value: Any) -> Any:
    """A label as plain Python: str, int (also for 3.0) or bool; None where it is missing; all else as it is."""
    import pandas as pd  # here, because errors of light parts use this file as well

    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    if isinstance(value, Real) and float(value).is_integer():
        return int(float(value))
    return value


def distinct(values: ArrayLike, argument: str) -> tuple[NDArray[np.int64], list[Any]]:
    """Each label once, and which of them each sample has.

    Parameters
    ----------
    values
        One label for each sample, (N,): array, list, or a column or categories of pandas. Masked ones are missing.
    argument
        What to call them in an error.

    Returns
    -------
    codes
        Position in `found`, int64, (N,); -1 where the label is missing.
    found
        The labels that occur as :func:`plain_label` gives them, in order of appearance (categories: in theirs).

    Raises
    ------
    ValueError, TypeError
        If the values are not one-dimensional, or would not be kept exactly: floats so large that neighboring whole
        numbers are the same float, text with a NUL character (numpy and HDF5 cut it off), bytes, lists.
    """
    codes, raw = _coded(values, argument)
    position: dict[tuple[type, Any], int] = {}
    place = np.full(len(raw) + 1, -1, dtype=np.int64)  # the last one is for code -1
    for index, value in enumerate(raw):
        label = plain_label(value)
        if label is not None:
            _check_exact(value, label, argument)
            place[index] = position.setdefault((type(label), label), len(position))
    return place[codes], [label for _, label in position]


def match(given: Iterable[Any], names: Sequence[Any]) -> list[int]:
    """Position in `names` of each given label: of the same one, else of the only one with the same text, else -1.

    `names` are of one kind, so that no two of them have the same text.
    """
    same = {(type(name), name): position for position, name in enumerate(names)}
    text = {str(name): position for position, name in enumerate(names)}

    def find(value: Any) -> int:
        label = plain_label(value)
        exact = same.get((type(label), label)) if isinstance(label, str | int) else None
        if exact is not None or label is None:
            return -1 if exact is None else exact
        return text.get(str(label), text.get(str(value), -1))

    return [find(value) for value in given]


def check_one_kind(labels: Sequence[Any], argument: str) -> None:
    """Text, whole numbers or truth values, not several of them: 1 and "1" are the same class for one person, not for another.

    Raises
    ------
    ValueError, TypeError
        If there are several kinds, or another one; names an example of each.
    """
    example = {type(label): label for label in reversed(labels)}
    other = [label for kind, label in example.items() if kind not in (str, int, bool)]
    if other and isinstance(other[0], float):
        msg = f"{argument} holds numbers that are not whole, such as {other[0]}: it must hold class labels."
        raise ValueError(msg)
    if other:
        msg = (
            f"{argument} holds {type(other[0]).__name__} objects, such as {other[0]!r}: "
            "labels must be text or whole numbers."
        )
        raise TypeError(msg)
    if len(example) > 1:
        examples = " and ".join(f"{label!r} ({kind.__name__})" for kind, label in example.items())
        msg = f"{argument} mixes labels of several kinds, such as {examples}: make all of them text, or all numbers."
        raise ValueError(msg)


def missing_as_text(labels: Iterable[Any]) -> list[str]:
    """The labels that read like a missing one that was turned into text, such as "nan" or ""."""
    return [label for label in labels if isinstance(label, str) and label.strip().lower() in _MISSING_AS_TEXT]


def as_array(labels: Sequence[Any]) -> NDArray[Any]:
    """The labels in an array that holds them exactly: numpy's own choice, or one of objects where that rounds."""
    found = np.asarray(labels)
    if found.ndim == 1 and found.dtype.kind in "biuU":
        return found
    kept = np.empty(len(labels), dtype=object)
    kept[:] = labels
    return kept


def _coded(values: Any, argument: str) -> tuple[NDArray[np.int64], Sequence[Any]]:
    """Codes, and what they stand for before it is made plain."""
    import pandas as pd

    if isinstance(values, pd.Series | pd.Index):
        numbers = isinstance(values.dtype, np.dtype) and values.dtype.kind in "biuf"
        values = values.to_numpy() if numbers else values.array
    if isinstance(values, pd.Categorical):
        used, codes = np.unique(values.codes, return_inverse=True)
        n_missing = int(used[0] < 0) if used.size else 0
        return codes.astype(np.int64) - n_missing, list(values.categories[used[n_missing:]])
    if isinstance(values, np.ma.MaskedArray):
        hidden, values = np.ma.getmaskarray(values), values.data.astype(object)
        values[hidden] = None
    if not isinstance(values, list | tuple):  # numpy would make one kind of the labels in a list
        values = np.asarray(values, dtype=object if isinstance(values, pd.api.extensions.ExtensionArray) else None)
        if values.ndim != 1:
            msg = f"{argument} must hold one label for each sample, found an array of shape {values.shape}."
            raise ValueError(msg)
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        codes, found = pd.factorize(values.astype(values.dtype.newbyteorder("="), copy=False))
        return codes.astype(np.int64), list(found)
    position: dict[tuple[type, Any], int] = {}  # the type, because 1, 1.0 and True are equal
    try:
        codes = np.array([position.setdefault((type(value), value), len(position)) for value in values], dtype=np.int64)
    except TypeError as error:
        msg = f"{argument} holds something that is no label ({error}): labels must be text or whole numbers."
        raise TypeError(msg) from error
    return codes, [value for _, value in position]


def _check_exact(value: Any, label: Any, argument: str) -> None:
    if isinstance(label, bytes):
        msg = f"{argument} holds bytes, such as {bytes(label)!r}: decode them to text, for a column with .str.decode('utf-8')."
        raise TypeError(msg)
    if isinstance(label, str) and "\0" in label:
        msg = f"{argument} holds a label with a NUL character, {label!r}, which files and arrays cut off: rename it."
        raise ValueError(msg)
    if isinstance(label, str) and not can_be_written(label):
        msg = f"{argument} holds a label with half a character, {label!r}, which no file takes: rename it."
        raise ValueError(msg)
    inexact = isinstance(label, int) and isinstance(value, float | np.floating)
    if inexact and abs(label) >= 2 ** (np.finfo(type(value)).nmant + 1):
        msg = (
            f"{argument} holds whole numbers as large as {label} as {type(value).__name__}, in which neighboring numbers "
            "are the same: read them anew as text or integers (in pandas: dtype 'Int64', which can be missing too)."
        )
        raise ValueError(msg)
