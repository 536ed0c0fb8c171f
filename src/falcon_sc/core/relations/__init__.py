"""The relation M between fine and coarse classes (section 3.3): eq. 14 solved exactly, with Gurobi, or certified."""

from falcon_sc.core.relations.problem import (
    TOLERANCE,
    is_optimal,
    objective,
    random_relation,
    solve,
    solver_name,
)
from falcon_sc.core.relations.shares import label_shares

__all__ = ["TOLERANCE", "is_optimal", "label_shares", "objective", "random_relation", "solve", "solver_name"]
