"""Arrays of numpy or torch: mixtures are fitted by the same functions on a CPU and on a GPU.

On a CPU the arrays are numpy's; a GPU has its own, which whoever knows the device makes (:class:`Processor`), so that
nothing here imports torch. The functions of numpy are those of the array API standard, and `array_api_compat` gives
those of torch the same names. Indices and random draws are always numpy's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

# Of numpy or torch. What can only be numpy's is annotated as that.
type Array = Any


@dataclass(frozen=True)
class Processor:
    """Where mixtures are fitted.

    `put`: makes the array there of one of numpy. `at_once`: responsibilities of all runs of a batch, at most.
    """

    put: Callable[[np.ndarray], Array]
    at_once: int


CPU = Processor(np.asarray, 2**16)  # the responsibilities stay in the cache


def namespace(array: Array) -> Any:
    """The functions for an array, under the names that numpy gives them."""
    if isinstance(
        array, np.ndarray
    ):  # asked for in every step of every fit, which array_api_compat takes long to answer
        return np
    from array_api_compat import array_namespace

    return array_namespace(array)


def on_host(array: Array) -> np.ndarray:
    """The array of numpy; waits for a GPU."""
    if isinstance(array, np.ndarray):
        return array
    from array_api_compat import to_device

    return np.asarray(to_device(array, "cpu"))


def beside(values: np.ndarray, array: Array) -> Array:
    """Values of numpy where `array` is."""
    return namespace(array).asarray(values, device=array.device)


def entries(array: Array, indices: np.ndarray) -> Array:
    """Some entries of the first axis."""
    return array[indices if isinstance(array, np.ndarray) else beside(indices, array)]


def at_least(array: Array, bound: float, *, overwrite: bool = False) -> Array:
    """Larger one of each entry and the bound; the array may be overwritten, where that saves time."""
    if isinstance(array, np.ndarray):  # faster than clip
        return np.maximum(array, bound, out=array if overwrite else None)
    return array.clip(min=bound)
