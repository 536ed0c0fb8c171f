"""How long the relation step takes, and whether exact solvers agree: the flow, scipy's assignment, Gurobi."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc._checks import check_int
from falcon_sc.benchmarks import _tables
from falcon_sc.core import relations

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    Solve = Callable[[NDArray[np.float64], float], NDArray[np.uint8]]

SIZES = ((24, 8), (68, 17), (83, 27), (100, 20), (240, 30), (608, 34), (2000, 100))
LAMS = (0.5, 0.1, 0.05, 5e-3, 5e-5, 0.0)  # 0 last: without a quadratic term Gurobi's license allows more


def run(
    *,
    out: Path | None = None,
    repeats: int = 5,
    max_seconds: float = 10.0,
    sizes: Sequence[tuple[int, int]] = SIZES,
    rng: int | np.random.Generator | None = 0,
) -> pd.DataFrame:
    """Time every exact solver on simulated confusions, and compare the losses they reach.

    Parameters
    ----------
    out
        Folder for ``relations.csv`` and ``relations.md``; nothing is written if None.
    repeats
        Costs for each size; every solver meets each of them with six weights of the balance term, 0 to 0.5.
    max_seconds
        A solver that has used this time on a size gets no further problems of that size. Gurobi may in addition take 30 s for one problem.
    sizes
        Pairs K_F, K_C. By default those of the paper's data sets, and a larger one.
    rng
        Seed or generator of the costs.

    Returns
    -------
    A row for each size and solver: ``n_fine``, ``n_coarse``, ``solver``, ``problems`` (how many were solved),
    ``median_ms``, ``max_ms`` (warm: the first call in the process is not counted), ``difference`` (largest
    distance of the loss from that of the flow) and ``remark`` (why problems are missing, if any are).

    Raises
    ------
    ValueError
        If ``repeats`` is less than 1.

    Examples
    --------
    >>> from falcon_sc.benchmarks.performance import relations
    >>> table = relations.run(repeats=1, sizes=[(24, 8)])  # doctest: +SKIP
    """
    import pandas as pd

    check_int(repeats, "repeats")
    rng = np.random.default_rng(rng)
    solvers = _solvers()
    rows = []
    for solve in solvers.values():  # compile, load libraries
        with suppress(RuntimeError):  # no license at all: the table will say so
            solve(simulate_cost(6, 3, rng), 0.1)
    for n_fine, n_coarse in sizes:
        costs = [simulate_cost(n_fine, n_coarse, rng) for _ in range(repeats)]
        problems = [(cost, lam) for cost in costs for lam in LAMS]
        best = [relations.objective(relations.solve(cost, lam), cost, lam) for cost, lam in problems]
        for name, solve in solvers.items():
            print(f"{n_fine} x {n_coarse}: {name}", flush=True)
            measured = _measure(solve, problems, best, max_seconds)
            rows.append({"n_fine": n_fine, "n_coarse": n_coarse, "solver": name, **measured})
    table = pd.DataFrame(rows)
    print(_tables.to_markdown(table))
    if out is not None:
        _tables.save(table, out, "relations")
    return table


def simulate_cost(n_fine: int, n_coarse: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Simulate C = P^T Y / N of a half-trained classifier: uneven classes, each leaning to its own parent."""
    n_children = 1 + rng.multinomial(n_fine - n_coarse, rng.dirichlet(np.ones(n_coarse)))
    parent = rng.permutation(np.repeat(np.arange(n_coarse), n_children))
    mass = rng.dirichlet(np.ones(n_fine))
    confusion = rng.uniform(0.1, 0.9)
    rows = (1 - confusion) * np.eye(n_coarse)[parent] + confusion * rng.dirichlet(np.full(n_coarse, 0.5), n_fine)
    cost: NDArray[np.float64] = mass[:, None] * rows
    return cost


def by_assignment(cost: NDArray[np.float64], lam: float) -> NDArray[np.uint8]:
    """Solve eq. 14 as a rectangular assignment of rows to the places of the columns, with as few as suffice.

    Where a column of the largest count n > 1 holds a row that prefers another column, that one has count n too
    (or the row would go there), so n is at most the largest number of rows that prefer one column. And a
    column n_a ahead of n_b hands a row over as soon as 2 h (n_a - n_b - 1) exceeds the range of the costs,
    where the smallest count is at most K_F / K_C.
    """
    from scipy.optimize import linear_sum_assignment

    n_fine, n_coarse = cost.shape
    h = lam / n_coarse
    n_places = int(np.bincount(cost.argmax(axis=1)).max())
    if h > 0:
        n_places = min(n_places, n_fine // n_coarse + 1 + int(np.ptp(cost) / (2 * h)))
    price = h * (2 * np.arange(n_places) + 1)
    price[0] -= 2 * cost.max()  # fills every column
    slots = (price - cost[:, :, None]).reshape(n_fine, -1)
    _, slot = linear_sum_assignment(slots)
    M = np.zeros(cost.shape, np.uint8)
    M[np.arange(n_fine), slot // n_places] = 1
    return M


def _solvers() -> dict[str, Solve]:
    from falcon_sc.core.relations import gurobi

    return {
        "flow": lambda cost, lam: relations.solve(cost, lam, solver="flow"),
        "scipy assignment": by_assignment,
        "gurobi quadratic": lambda cost, lam: gurobi.solve(cost, lam, time_limit=30, forms=(gurobi.quadratic,)),
        "gurobi piecewise linear": lambda cost, lam: gurobi.solve(
            cost, lam, time_limit=30, forms=(gurobi.piecewise_linear,)
        ),
    }


def _measure(
    solve: Solve, problems: list[tuple[NDArray[np.float64], float]], best: list[float], max_seconds: float
) -> dict[str, object]:
    seconds: list[float] = []
    difference = 0.0
    remarks = []
    began = time.perf_counter()
    for (cost, lam), loss in zip(problems, best, strict=True):
        start = time.perf_counter()
        if start - began > max_seconds:
            remarks.append(f"stopped after {max_seconds:g} s")
            break
        try:
            M = solve(cost, lam)
        except RuntimeError:
            remarks.append("refused by the license")
            break
        except TimeoutError:
            remarks.append("found nothing in time")
            continue
        seconds.append(time.perf_counter() - start)
        difference = max(difference, abs(relations.objective(M, cost, lam) - loss))
    return {
        "problems": len(seconds),
        "median_ms": 1e3 * float(np.median(seconds)) if seconds else float("nan"),
        "max_ms": 1e3 * max(seconds) if seconds else float("nan"),
        "difference": difference if seconds else float("nan"),
        "remark": ", ".join(dict.fromkeys(remarks)),
    }
