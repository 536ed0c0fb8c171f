"""The relation step: which fine class belongs to which coarse class (paper section 3.3, eq. 12-15).

Given the cost ``C = P^T Y / N`` find the relation M, a 0/1 matrix with one coarse class for each fine class
and at least one fine class for each coarse class (eq. 15), that minimizes

    -sum(C * M) + lam * (sum_j n_j^2 / K_C - K_F^2 / K_C^2),    n_j = sum_f M_fj      (eq. 12 + lam * eq. 13)

The paper gives this to an integer quadratic solver, but the penalty is separable and convex in the column
counts, which makes it a minimum-cost flow with integral vertices:

* n^2 = 1 + 3 + ... + (2n - 1). Let the k-th member of column j pay h (2k - 1) with h = lam / K_C. Prices do
  not fall in k (lam >= 0), so n_j members use the n_j cheapest places and pay h n_j^2 in total.
* Rows -> columns -> sink is then a network with unit supplies. Its constraint matrix is totally unimodular,
  hence shortest augmenting paths end in a 0/1 matrix that is optimal over all relations.
* Take ``bonus > max(C) - min(C)`` off the first place of each column: then no column stays empty, since
  filling it from a column with two members always pays.

The optimal value is unique; the relation that attains it need not be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import numpy as np

from falcon_sc.core.config import Solver
from falcon_sc.core.relations.certificate import is_relation, largest_gain

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

TOLERANCE = 1e-12
"""What :func:`is_optimal` lets pass as rounding, relative to the largest term of the objective."""


def solve(cost: ArrayLike, lam: float, *, solver: Solver = "auto", time_limit: float = 30.0) -> NDArray[np.uint8]:
    """Find the best relation between fine and coarse classes (eq. 14).

    Parameters
    ----------
    cost
        K_F x K_C, non-negative and finite, turned into float64: ``C = P^T Y / N``, where ``P`` (N x K_F)
        are fine predictions and ``Y`` (N x K_C) the one-hot coarse labels, so that the entries sum to 1.
        Other scales are accepted; ``lam`` is relative to them.
    lam
        Weight of the balance term, lambda_M of the paper, at least 0.
    solver
        ``"flow"`` is exact, takes well under a millisecond at 83 x 27 and needs no license. ``"gurobi"``
        solves the paper's integer quadratic program (appendix D) to Gurobi's numerical tolerances; the
        license that comes with gurobipy allows (K_F + 1) * K_C up to 2,000. ``"auto"`` is ``"flow"``.
    time_limit
        Seconds that Gurobi may take (30: paper, appendix G); at the limit the best relation found so far is
        returned with a logged warning. ``"flow"`` always runs to the end.

    Returns
    -------
    uint8, K_F x K_C, one 1 in each row and at least one in each column. The same input gives the same
    relation; among equally good relations the choice is fixed, but depends on the order of the rows.

    Raises
    ------
    ValueError
        If ``cost`` is not a finite, non-negative matrix with at least as many rows as columns, if ``lam`` is
        negative or not finite, if ``time_limit`` is not positive, or if ``solver`` is unknown.
    RuntimeError
        If Gurobi's license is missing, expired or too small for the problem.
    TimeoutError
        If Gurobi finds no relation at all within ``time_limit``.

    Notes
    -----
    Gurobi's license is found as gurobipy finds it: a ``gurobi.lic`` in the home directory or in Gurobi's own
    directory, or the file that ``GRB_LICENSE_FILE`` names. A web license (WLS) can also be given by the three
    environment variables ``GRB_WLSACCESSID``, ``GRB_WLSSECRET`` and ``GRB_LICENSEID``, which are handed on.

    Examples
    --------
    >>> from falcon_sc.core import relations
    >>> relations.solve([[0.3, 0.0], [0.2, 0.1], [0.1, 0.3]], lam=0.1)
    array([[1, 0],
           [1, 0],
           [0, 1]], dtype=uint8)
    """
    C, lam = _checked(cost, lam)
    name = solver_name(solver)
    if not time_limit > 0:
        msg = f"time_limit={time_limit!r} must be a positive number of seconds."
        raise ValueError(msg)

    if name == "gurobi":
        from falcon_sc.core.relations import gurobi

        return gurobi.solve(C, lam, time_limit=time_limit)

    from falcon_sc.core.relations.flow import assign

    n_fine, n_coarse = C.shape
    bonus = 2 * (C.max() - C.min()) or 1.0
    M = np.zeros((n_fine, n_coarse), np.uint8)
    M[np.arange(n_fine), assign(C, lam / n_coarse, bonus)] = 1
    return M


def solver_name(solver: Solver) -> str:
    """Name the solver that runs: ``"auto"`` is ``"flow"``. Raises ValueError if ``solver`` is unknown."""
    if solver not in get_args(Solver):
        msg = f"solver={solver!r} is unknown; choose one of {', '.join(map(repr, get_args(Solver)))}."
        raise ValueError(msg)
    return "flow" if solver == "auto" else solver


def objective(M: ArrayLike, cost: ArrayLike, lam: float) -> float:
    """Compute the loss of a relation, eq. 12 + ``lam`` * eq. 13: what :func:`solve` minimizes.

    Parameters
    ----------
    M
        K_F x K_C, a relation.
    cost, lam
        As in :func:`solve`.

    Returns
    -------
    The loss; with costs that sum to 1 the first term lies in [-1, 0], and the second is 0 when all coarse
    classes have equally many fine classes.

    Raises
    ------
    ValueError
        If ``cost`` or ``lam`` is invalid as in :func:`solve`, or ``M`` has another shape than ``cost``.

    Examples
    --------
    >>> from falcon_sc.core import relations
    >>> relations.objective([[1, 0], [0, 1]], [[0.5, 0.0], [0.25, 0.25]], lam=0.1)
    -0.75
    """
    C, lam = _checked(cost, lam)
    R = _same_shape(M, C)
    n_fine, n_coarse = C.shape
    linear = -np.sum(C * R)  # eq. 12
    balance = np.sum(R.sum(axis=0) ** 2) / n_coarse - n_fine**2 / n_coarse**2  # eq. 13
    return float(linear + lam * balance)  # eq. 14


def is_optimal(M: ArrayLike, cost: ArrayLike, lam: float) -> bool:
    """Certify that a relation is an optimum of eq. 14, without solving it again.

    M is optimal exactly when no chain of moves between coarse classes that ends where it began lowers the
    loss: when the residual graph on the K_C columns and the sink has no negative cycle. We look for prices
    of the nodes (Bellman-Ford) at which no single move gains.

    Parameters
    ----------
    M
        K_F x K_C; a matrix that breaks eq. 15 is not optimal.
    cost, lam
        As in :func:`solve`.

    Returns
    -------
    True if no move gains more than ``tol = 1e-12 * max(max(cost), lam / K_C * (2 * max(n) + 1))``. Then no
    relation is better by more than ``3 * K_F * tol``; and no relation that a cycle of moves betters by more
    than ``(K_C + 1) * tol`` passes.

    Raises
    ------
    ValueError
        If ``cost`` or ``lam`` is invalid as in :func:`solve`, or ``M`` has another shape than ``cost``.

    Examples
    --------
    >>> import numpy as np
    >>> from falcon_sc.core import relations
    >>> cost = np.random.default_rng(0).dirichlet(np.ones(60)).reshape(12, 5)
    >>> relations.is_optimal(relations.solve(cost, lam=0.1), cost, lam=0.1)
    True
    """
    C, lam = _checked(cost, lam)
    R = _same_shape(M, C)
    h = lam / C.shape[1]
    tol = TOLERANCE * max(C.max(), h * (2 * R.sum(axis=0).max() + 1))
    return is_relation(R) and bool(largest_gain(R, C, h) <= tol)


def random_relation(
    n_fine: int, n_coarse: int, lam: float, rng: int | np.random.Generator | None = None
) -> NDArray[np.uint8]:
    """Draw the relation that training starts from: eq. 14 solved for a random cost (algorithm A1).

    Parameters
    ----------
    n_fine, n_coarse
        Numbers of classes, K_F >= K_C >= 1.
    lam
        Weight of the balance term, at least 0.
    rng
        Seed or generator.

    Returns
    -------
    uint8, K_F x K_C, a relation as from :func:`solve`. The random cost is uniform and sums to 1.

    Raises
    ------
    ValueError
        If ``n_fine`` < ``n_coarse``, or ``lam`` is negative or not finite.

    Examples
    --------
    >>> from falcon_sc.core import relations
    >>> relations.random_relation(6, 3, lam=0.1, rng=0).sum(axis=0)
    array([2, 2, 2], dtype=uint64)
    """
    cost = np.random.default_rng(rng).random((n_fine, n_coarse))
    return solve(cost / cost.sum(), lam)


def _checked(cost: ArrayLike, lam: float) -> tuple[NDArray[np.float64], float]:
    C = np.ascontiguousarray(cost, dtype=np.float64)
    if C.ndim != 2 or C.size == 0:
        msg = f"cost has shape {C.shape}; give a matrix with a row for each fine and a column for each coarse class."
        raise ValueError(msg)
    if not np.isfinite(C).all():
        msg = f"cost holds {np.count_nonzero(~np.isfinite(C))} values that are NaN or infinite; predictions diverged?"
        raise ValueError(msg)
    if C.min() < 0:
        msg = f"cost holds negative values (lowest {C.min():.3g}); give P^T Y / N, which is never negative."
        raise ValueError(msg)
    if C.shape[0] < C.shape[1]:
        msg = (
            f"cost has {C.shape[0]} fine classes (rows) for {C.shape[1]} coarse classes (columns), but each coarse "
            "class needs at least one fine class: use more fine classes, or transpose cost."
        )
        raise ValueError(msg)
    if not (np.isfinite(lam) and lam >= 0):
        msg = f"lam={lam!r} must be a finite number, at least 0: below 0 the step rewards imbalance."
        raise ValueError(msg)
    return C, float(lam)


def _same_shape(M: ArrayLike, cost: NDArray[np.float64]) -> NDArray[np.float64]:
    R = np.asarray(M, dtype=np.float64)
    if R.shape != cost.shape:
        msg = f"M has shape {R.shape}, but cost has {cost.shape}: they must be the same."
        raise ValueError(msg)
    return R
