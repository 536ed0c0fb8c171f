"""Hyperparameters in, plain scalars out."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import check_int

if TYPE_CHECKING:
    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.model import Falcon


_WHOLE = {"n_neighbors", "max_epochs", "batch_size"}  # those of n_jobs are checked by the configuration


def with_keywords(config: FalconConfig | None, **keywords: Any) -> FalconConfig:
    """The configuration, with the keywords of `discover` that were given, those that are not None, in place of its values."""
    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.fitting.run import check_config

    config = FalconConfig() if config is None else config
    check_config(config)
    given = {name: value for name, value in keywords.items() if value is not None}
    for name in _WHOLE & set(given):
        given[name] = check_int(given[name], name)
    if "n_neighbors" in given and config.n_neighbors_per_step is not None:  # no more can be drawn than were searched
        given["n_neighbors_per_step"] = min(config.n_neighbors_per_step, given["n_neighbors"])
    changed: FalconConfig = replace(config, **given)
    return changed


def check_license(config: FalconConfig, n_fine: int | dict[Any, int], n_coarse: int) -> None:
    """Let Gurobi solve one easy relation of the final size: a license too small for it is known before any work."""
    if config.relation_solver != "gurobi":
        return
    from falcon_sc.core import relations

    total = sum(n_fine.values()) if isinstance(n_fine, dict) else n_fine
    easy = np.eye(n_coarse)[np.arange(total) % n_coarse] / total
    relations.solve(easy, config.lambda_M, solver="gurobi", time_limit=config.relation_time_limit)


def about_run(model: Falcon, rng: object) -> dict[str, Any]:
    """How the labels came about, beyond the hyperparameters."""
    about: dict[str, Any] = {name: version(name) for name in ("anndata", "scanpy", "torch")}
    about |= {"relation_solver": model.solver_, "device": str(model.device_)}
    if isinstance(rng, Integral):
        about["seed"] = int(rng)  # a generator's state cannot be written down as one number
    return about


def model_id(model: Falcon) -> str:
    """What tells a fitted model from others, by what it gives: the same for a run that gave the same, bit for bit."""
    return sha256(model.proba_.mean(axis=0, dtype=np.float64).tobytes()).hexdigest()[:16]


def plain(params: dict[str, Any]) -> dict[str, str | int | float | bool]:
    """Only what every file format keeps: None is left out."""
    return {name: value for name, value in params.items() if isinstance(value, str | int | float | bool)}
