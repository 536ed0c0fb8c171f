"""How many fine classes may be found: checks of `n_fine` against the coarse classes and their samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from falcon_sc.core.data.taxonomy import Taxonomy


def fine_budget(
    n_fine: int | Mapping[Any, int], taxonomy: Taxonomy, codes: NDArray[np.int64], n_samples: int
) -> int | NDArray[np.int64]:
    """The number of fine classes: the total, or one number for each column of M.

    Raises
    ------
    TypeError, ValueError
        If `n_fine` cannot be had with these classes and samples; says why.
    """
    if len(codes) != n_samples:
        msg = f"coarse has {len(codes)} labels, X has {n_samples} samples."
        raise ValueError(msg)
    if (codes < 0).any():
        msg = f"coarse is missing for {int((codes < 0).sum())} samples: leave those out of fit, and predict them later."
        raise ValueError(msg)
    largest = max(block.stop - block.start for block in taxonomy.blocks)
    if not isinstance(n_fine, int | np.integer) or isinstance(n_fine, bool):
        return _by_class(n_fine, taxonomy, codes)
    if not largest <= n_fine <= n_samples:
        msg = f"n_fine={n_fine} must be from the number of coarse classes, {largest}, to that of samples, {n_samples}."
        raise ValueError(msg)
    return int(n_fine)


def _by_class(n_fine: Any, taxonomy: Taxonomy, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    if not hasattr(n_fine, "keys"):
        msg = f"n_fine={n_fine!r} must be a whole number or a mapping from coarse class to a whole number."
        raise TypeError(msg)
    if len(taxonomy.datasets) > 1:
        msg = "n_fine is a mapping, which needs a single data set; give the total for several."
        raise ValueError(msg)
    if set(n_fine) != set(taxonomy.names):
        missing, unknown = set(taxonomy.names) - set(n_fine), set(n_fine) - set(taxonomy.names)
        msg = f"n_fine must name every coarse class once: missing {sorted(map(str, missing))}, unknown {sorted(map(str, unknown))}."
        raise ValueError(msg)
    counts = np.asarray([n_fine[name] for name in taxonomy.names])
    sizes = np.bincount(codes, minlength=len(counts))
    if counts.dtype.kind not in "iu" or (counts < 1).any() or (counts > sizes).any():
        wrong = {
            str(name): n_fine[name] for name, n in zip(taxonomy.names, sizes, strict=True) if not 1 <= n_fine[name] <= n
        }
        msg = f"n_fine must be whole numbers from 1 to the number of samples of the class; wrong: {wrong}."
        raise ValueError(msg)
    return counts.astype(np.int64)
