"""Tools: the discovery of fine classes, how many to ask for, what to make of them, their prediction for new cells."""

from falcon_sc.tl.cut import cut
from falcon_sc.tl.discover import discover
from falcon_sc.tl.estimate_n_fine import estimate_n_fine
from falcon_sc.tl.markers import markers
from falcon_sc.tl.merge import merge
from falcon_sc.tl.predict import predict
from falcon_sc.tl.refine import refine
from falcon_sc.tl.rename import rename
from falcon_sc.tl.report import report

__all__ = ["cut", "discover", "estimate_n_fine", "markers", "merge", "predict", "refine", "rename", "report"]
