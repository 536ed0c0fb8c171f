"""The search for hyperparameters of appendix G, with Optuna (extra ``falcon-sc[search]``)."""

from falcon_sc.search.tune import Tuned, tune

__all__ = ["Tuned", "tune"]
