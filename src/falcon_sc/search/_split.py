"""Rows to learn from and rows to choose by; rows to test on are cut away before anything else is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from falcon_sc._checks import listed
from falcon_sc.core.data.inputs import as_input
from falcon_sc.core.data.labels import as_array, distinct

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

VALIDATION_SHARE = 0.1  # as in the paper: 5,000 of 50,000 images
PARTS = ("train", "validation", "test")


class Split(NamedTuple):
    """Samples and coarse labels of both parts; fine labels, if there are any, of the validation part alone."""

    X: Any  # (N, features)
    coarse: NDArray[Any]  # (N,)
    X_validation: Any  # (V, features)
    coarse_validation: NDArray[Any]  # (V,)
    fine_validation: NDArray[Any] | None  # (V,)


def divided(
    X: Any, coarse: ArrayLike, fine: ArrayLike | None, split: ArrayLike | None, rng: np.random.Generator
) -> Split:
    """Both parts, checked.

    Raises
    ------
    ValueError
        If lengths differ, `split` holds another word or lacks a part, or a fine label of the validation part is missing.
    """
    matrix = X if hasattr(X, "shape") else np.asarray(X)
    n = matrix.shape[0]
    coarse = as_array(coarse)  # type: ignore[arg-type]
    for name, column in (("coarse", coarse), ("fine", fine), ("split", split)):
        if column is not None and len(column) != n:  # type: ignore[arg-type]
            msg = f"{name} has {len(column)} entries, X has {n} samples: give one for each."  # type: ignore[arg-type]
            raise ValueError(msg)
    train, validation = _drawn(coarse, rng) if split is None else _given(split)
    _check_known(coarse[train], coarse[validation])
    fine_validation = None
    if fine is not None:
        fine_validation = as_array(fine)[validation]  # type: ignore[arg-type]
        missing = int((distinct(fine_validation, "fine")[0] < 0).sum())
        if missing:
            msg = f"fine is missing for {missing} validation samples: give all of those, or leave fine out."
            raise ValueError(msg)
    return Split(
        as_input(matrix[train]), coarse[train], as_input(matrix[validation]), coarse[validation], fine_validation
    )


def _drawn(coarse: NDArray[Any], rng: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """A tenth of each coarse class, rounded."""
    codes, names = distinct(coarse, "coarse")
    members = [rng.permutation(np.flatnonzero(codes == c)) for c in range(len(names))]
    chosen = np.concatenate([rows[: round(VALIDATION_SHARE * len(rows))] for rows in members])
    if not len(chosen):
        msg = (
            f"no coarse class has the {round(1 / VALIDATION_SHARE)} samples of which one is for validation: give split."
        )
        raise ValueError(msg)
    return np.setdiff1d(np.arange(len(codes)), chosen), np.sort(chosen)


def _given(split: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    words = np.asarray(split, dtype=object).astype(str)
    unknown = sorted(set(words) - set(PARTS))
    if unknown:
        msg = f"split holds {listed(unknown)}: its words are {listed(PARTS)}."
        raise ValueError(msg)
    train, validation = (np.flatnonzero(words == part) for part in PARTS[:2])
    if not (len(train) and len(validation)):
        msg = f"split has {len(train)} train and {len(validation)} validation samples: both are needed."
        raise ValueError(msg)
    return train, validation


def _check_known(train: NDArray[Any], validation: NDArray[Any]) -> None:
    known = distinct(train, "coarse")[1]
    unknown = [name for name in distinct(validation, "coarse")[1] if name not in known]
    if unknown:
        msg = f"split: no train sample has the coarse labels {listed(unknown)} of the validation part."
        raise ValueError(msg)
