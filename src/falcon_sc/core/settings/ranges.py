"""What a field of the configuration may hold, by its annotation and the ranges of numbers; and what a seed is."""

from __future__ import annotations

import math
from numbers import Integral, Real
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import numpy as np

_TINY = math.ulp(0.0)
# What is no whole number of at least 1 and no number of at least 0, by the name of its field.
_RANGES: dict[str, tuple[float, float]] = {
    "warmup_iterations": (0, math.inf),
    "n_jobs": (-1, math.inf),
    **dict.fromkeys(("temperature", "lr", "relation_time_limit", "max_grad_norm"), (_TINY, math.inf)),
    **dict.fromkeys(("gamma", "momentum", "anneal_share"), (0.0, 1.0)),
}


def checked(name: str, value: Any, hint: object) -> Any:
    """The value of a field, as a number of Python if it is one of numpy.

    Raises
    ------
    ValueError
        If it is not what the annotation `hint` and the range of the field say.
    """
    kinds = get_args(hint) or (hint,)
    if get_origin(hint) is tuple:
        return _shares(name, value)
    if hasattr(value, "item") and np.ndim(value) == 0:  # a number of numpy, np.int64(20), is 20
        value = value.item()
    if value is None and NoneType in kinds:
        return value
    if get_origin(hint) is Literal:
        wanted, valid = f"one of {list(kinds)}", value in kinds
    elif bool in kinds:
        wanted, valid = "True or False", isinstance(value, bool)
    else:
        low, high = _RANGES.get(name, (1, math.inf) if int in kinds else (0.0, math.inf))
        bounds = f"of at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
        wanted = f"{'a whole number' if int in kinds else 'a number'} {'above 0' if low == _TINY else bounds}"
        is_number = isinstance(value, int if int in kinds else int | float) and not isinstance(value, bool)
        valid = is_number and low <= value <= high and not math.isinf(value)
    if not valid:
        msg = f"{name}={value!r} must be {wanted}."
        raise ValueError(msg)
    return value


def _shares(name: str, values: Any) -> tuple[float, ...]:
    """Shares of a run, from any sequence of numbers."""
    given = list(values) if isinstance(values, tuple | list | np.ndarray) else None
    if given is None or not all(isinstance(value, Real) and 0 <= float(value) <= 1 for value in given):
        msg = f"{name}={values!r} must be shares of the run, numbers from 0 to 1."
        raise ValueError(msg)
    return tuple(float(value) for value in given)


def check_rng(rng: object) -> None:
    """A seed, a generator, or None for a run that cannot be repeated."""
    if rng is None or isinstance(rng, np.random.Generator):
        return
    if isinstance(rng, bool) or not isinstance(rng, Integral):
        msg = f"rng must be an int, a numpy.random.Generator or None, found {rng!r}."
        raise TypeError(msg)
    if rng < 0:
        msg = f"rng must not be negative, found {rng}."
        raise ValueError(msg)


def generator_of(rng: int | np.random.Generator | None) -> np.random.Generator:
    """The source of draws that `rng` stands for, where :func:`check_rng` lets it pass."""
    check_rng(rng)
    return np.random.default_rng(rng)
