"""The relation M between fine and coarse classes (section 3.3): eq. 14 solved exactly, with Gurobi, or certified."""

from falcon_sc.core.relations.problem import (
    TOLERANCE,
    is_optimal,
    objective,
    random_relation,
    solve,
    solver_name,
)

__all__ = ["TOLERANCE", "is_optimal", "objective", "random_relation", "solve", "solver_name"]
