"""Data to try things on: real cells that ship with scanpy, and a simulator."""

from falcon_sc.datasets._pbmc68k_reduced import pbmc68k_reduced
from falcon_sc.datasets._simulate import simulate

__all__ = ["pbmc68k_reduced", "simulate"]
