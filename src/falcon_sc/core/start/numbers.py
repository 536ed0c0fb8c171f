"""How many fine classes each coarse class gets, from paths of mixtures through all numbers; more paths where these differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.start import allocation
from falcon_sc.core.start.input import most_classes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    type Curves = Sequence[np.ndarray | None]

CELLS_PER_FURTHER_CLASS = (
    20  # of a coarse class, at least, unless more fine classes are asked for: fewer are a fragment
)


def largest_k(sizes: np.ndarray, n_fine: int) -> np.ndarray:
    """Largest number of fine classes considered per coarse class (K_C); the sum is at least `n_fine`.

    min(1 + n / 20, max(8, min(K_F - K_C + 1, K_F max(share of cells, 1.6 / K_C) + 4))), raised where that is too few.
    """
    most = most_classes(sizes)
    if n_fine > most.sum():
        msg = f"{n_fine} fine classes were asked for, coarse classes of {sizes.tolist()} samples can have {most.sum()}"
        raise ValueError(msg)
    share = np.maximum(sizes / sizes.sum(), 1.6 / len(sizes))
    wanted = np.maximum(8, np.minimum(n_fine - len(sizes) + 1, n_fine * share + 4))
    k_max = np.clip(
        np.minimum(1 + sizes // CELLS_PER_FURTHER_CLASS, wanted.astype(np.int64)), 1, n_fine - len(sizes) + 1
    )
    while k_max.sum() < n_fine:
        k_max = np.minimum(most, np.ceil(1.25 * k_max).astype(np.int64))
    return np.asarray(k_max)


def undecided(curves: Curves, sizes: np.ndarray, n_fine: int) -> NDArray[np.bool_]:
    """Coarse classes whose number is another one as soon as one of the paths is left out, K_C; see `gains_along`."""
    n_extra = n_fine - len(sizes)
    n_paths = _most_paths(curves)
    numbers = np.array(
        [
            allocation.largest_gains(
                _gains(curves, sizes, n_fine, [p for p in range(n_paths) if p != left_out]), n_extra
            )
            for left_out in range(n_paths)
        ]
    )
    return np.asarray((numbers != numbers[0]).any(axis=0))


def gains_along(curves: Curves, sizes: np.ndarray, n_fine: int) -> list[np.ndarray]:
    """What every further fine class gains in likelihood, non-increasing (K - 1,) for each coarse class, along all paths.

    `curves`: of each coarse class the mean log-likelihoods (nats a cell) along its paths in r representations, for k = 1..K: (paths, r, K);
    None of one that cannot be split. Where there are fewer paths than elsewhere each counts as often as makes up for it.
    """
    return _gains(curves, sizes, n_fine, range(_most_paths(curves)))


def _most_paths(curves: Curves) -> int:
    return max(len(own) for own in curves if own is not None)


def _gains(curves: Curves, sizes: np.ndarray, n_fine: int, chosen: Iterable[int]) -> list[np.ndarray]:
    """The same along the `chosen` of the paths, which begin anew after the last one a class has."""
    paths = np.array(list(chosen))
    of_chosen = [None if own is None else np.concatenate(own[paths % len(own)]) for own in curves]
    n_rows = max(len(own) for own in of_chosen if own is not None)
    flat = np.zeros((n_rows, 1))
    return allocation.joint_gains([flat if own is None else own for own in of_chosen], sizes, n_fine)
