"""Plots of what the tools wrote. They change nothing in `adata` and return what they drew on."""

from falcon_sc.pl.confident import confident
from falcon_sc.pl.history import history
from falcon_sc.pl.n_fine import n_fine
from falcon_sc.pl.relation import relation

__all__ = ["confident", "history", "n_fine", "relation"]
