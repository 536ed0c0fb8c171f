"""Tools: the discovery of fine classes, and their prediction for new cells."""

from falcon_sc.tl.discover import discover
from falcon_sc.tl.predict import predict

__all__ = ["discover", "predict"]
