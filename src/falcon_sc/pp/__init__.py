"""Preprocessing."""

from falcon_sc.pp.neighbors_within import neighbors_within
from falcon_sc.pp.select_genes import select_genes

__all__ = ["neighbors_within", "select_genes"]
