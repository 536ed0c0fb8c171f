"""The relation step as the paper solves it, by Gurobi (appendix D). The problem is stated in :mod:`.relations`."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

import gurobipy as gp
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Form = Callable[[gp.Model, NDArray[np.float64], float], gp.MVar]

logger = logging.getLogger(__name__)

LARGEST_COEFFICIENT = 1e4
"""Costs are scaled to this maximum. Entries of C are as small as 1e-9, and Gurobi takes less than 1e-9 for 0."""

WLS_PARAMETERS = {"WLSAccessID": "GRB_WLSACCESSID", "WLSSecret": "GRB_WLSSECRET", "LicenseID": "GRB_LICENSEID"}

OTHER_WAYS = (
    'Use solver="flow" (the default): it finds the same optimum and needs no license. Or give gurobipy a full '
    "license, free for academics: a gurobi.lic in your home directory or where GRB_LICENSE_FILE points, or a web "
    "license (WLS) in GRB_WLSACCESSID, GRB_WLSSECRET and GRB_LICENSEID."
)


def quadratic(model: gp.Model, cost: NDArray[np.float64], lam: float) -> gp.MVar:
    """Eq. 33-38, with the column counts as variables: K_C quadratic terms rather than K_C * K_F^2 / 2.

    The program is the same, but at 20 x 6 Gurobi proves its optimum in milliseconds rather than seconds.
    """
    M, count = _relation(model, cost.shape)
    model.setObjective(-(cost * M).sum() + lam / cost.shape[1] * (count * count).sum())
    return M


def piecewise_linear(model: gp.Model, cost: NDArray[np.float64], lam: float) -> gp.MVar:
    """Exact without a quadratic term: the counts are integers, and n^2 is linear between them."""
    M, count = _relation(model, cost.shape)
    M.setAttr("Obj", -cost)
    places = range(1, cost.shape[0] - cost.shape[1] + 3)  # one beyond the bound: Gurobi wants two points
    penalty = [lam / cost.shape[1] * n**2 for n in places]
    for n in count.tolist():
        model.setPWLObj(n, places, penalty)
    return M


def _relation(model: gp.Model, shape: tuple[int, ...]) -> tuple[gp.MVar, gp.MVar]:
    """Eq. 15, 34: binary M with one coarse class a row, and counts of at least one a column."""
    M = model.addMVar(shape, vtype=gp.GRB.BINARY)
    count = model.addMVar(shape[1], vtype=gp.GRB.INTEGER, lb=1, ub=shape[0] - shape[1] + 1)
    model.addConstr(M.sum(axis=1) == 1)
    model.addConstr(M.sum(axis=0) == count)
    return M, count


def solve(
    cost: NDArray[np.float64],
    lam: float,
    *,
    time_limit: float,
    forms: Sequence[Form] = (quadratic, piecewise_linear),
) -> NDArray[np.uint8]:
    """Solve eq. 14 in the first of the ``forms`` that the license allows.

    Parameters
    ----------
    cost
        K_F x K_C, checked by :func:`.relations.solve`.
    lam
        Weight of the balance term.
    time_limit
        Seconds.
    forms
        What to try, in this order.

    Returns
    -------
    uint8, K_F x K_C. If time ran out, the best relation found, and a warning is logged.

    Raises
    ------
    RuntimeError
        If no usable license is found, or the license allows none of the forms.
    TimeoutError
        If no relation was found in time.
    """
    scale = LARGEST_COEFFICIENT / (cost.max() or 1.0)
    with _environment() as env:
        for form in forms:
            with gp.Model(env=env) as model:
                M = form(model, scale * cost, scale * lam)
                model.Params.TimeLimit = time_limit
                model.Params.Threads = 1  # which of several equal optima is found depends on the threads
                model.Params.MIPGap = model.Params.MIPGapAbs = 0
                model.Params.IntFeasTol = model.Params.FeasibilityTol = model.Params.OptimalityTol = 1e-9
                try:
                    model.optimize()
                except gp.GurobiError as error:
                    if error.errno != gp.GRB.Error.SIZE_LIMIT_EXCEEDED:
                        raise
                    license = _license(model)
                else:
                    return relation_found(model, M, scale)
    n_fine, n_coarse = cost.shape
    msg = (
        f"The problem is too large for the Gurobi license in use, {license}: {n_fine} fine x {n_coarse} coarse "
        f"classes are {(n_fine + 1) * n_coarse} variables, and size-limited licenses allow 200 in a quadratic and "
        f"2000 in a linear program. {OTHER_WAYS}"
    )
    raise RuntimeError(msg)


def relation_found(model: gp.Model, M: gp.MVar, scale: float) -> NDArray[np.uint8]:
    """Read M from a model that Gurobi has worked on, and say so where it is not proven optimal."""
    if model.Status == gp.GRB.INTERRUPTED:  # Gurobi swallows Ctrl-C
        raise KeyboardInterrupt
    if model.SolCount == 0:
        msg = (
            f"Gurobi found no relation within time_limit={model.Params.TimeLimit:g} s (status {model.Status}). "
            'Give it more time, or use solver="flow".'
        )
        raise TimeoutError(msg)
    if model.Status != gp.GRB.OPTIMAL:
        logger.warning(
            "Gurobi stopped after %.3g s (status %d) with a relation that is not proven optimal: its loss may be "
            "up to %.3g above the optimum. More time_limit, or solver='flow', gives the optimum.",
            model.Runtime,
            model.Status,
            (model.ObjVal - model.ObjBound) / scale,
        )
    relation: NDArray[np.uint8] = (np.asarray(M.X) > 0.5).astype(np.uint8)
    return relation


def _environment() -> gp.Env:
    """Start Gurobi, which prints nothing: not even its license line."""
    parameters: dict[str, Any] = {"OutputFlag": 0, **_web_license()}
    try:
        return gp.Env(params=parameters)
    except gp.GurobiError as error:
        msg = f"Gurobi does not start, for want of a valid license (error {error.errno}: {error}). {OTHER_WAYS}"
        raise RuntimeError(msg) from error


def _web_license() -> dict[str, str | int]:
    """Parameters of a web license: gurobipy reads them from a license file, but not from the environment."""
    given: dict[str, str | int] = {
        name: os.environ[variable] for name, variable in WLS_PARAMETERS.items() if os.environ.get(variable)
    }
    missing = [variable for name, variable in WLS_PARAMETERS.items() if name not in given]
    if given and missing:
        msg = f"The Gurobi web license (WLS) is incomplete: {', '.join(missing)} not set. {OTHER_WAYS}"
        raise RuntimeError(msg)
    if given:
        number = os.environ[WLS_PARAMETERS["LicenseID"]]
        if not number.isdecimal():
            msg = f"GRB_LICENSEID={number!r} must be the number of your Gurobi web license (WLS)."
            raise RuntimeError(msg)
        given["LicenseID"] = int(number)
    return given


def _license(model: gp.Model) -> str:
    if os.environ.get(WLS_PARAMETERS["WLSAccessID"]):
        source = "the web license (WLS) of the environment"
    elif file := os.environ.get("GRB_LICENSE_FILE"):
        source = f"{file} (GRB_LICENSE_FILE)"
    else:
        source = "the one that comes with gurobipy, or a size-limited gurobi.lic"
    expiry = str(model.LicenseExpiration)
    return f"{source}, valid until {expiry[:4]}-{expiry[4:6]}-{expiry[6:]}"
