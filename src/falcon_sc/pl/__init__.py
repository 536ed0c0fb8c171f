"""Plots of what the tools wrote, or of arrays. They change nothing and return what they drew on."""

from falcon_sc.pl.composition import composition
from falcon_sc.pl.confident import confident
from falcon_sc.pl.confident_images import confident_images
from falcon_sc.pl.embedding import embedding
from falcon_sc.pl.flow import flow
from falcon_sc.pl.history import history
from falcon_sc.pl.n_fine import n_fine
from falcon_sc.pl.relation import relation
from falcon_sc.pl.tree import tree

__all__ = ["composition", "confident", "confident_images", "embedding", "flow", "history", "n_fine", "relation", "tree"]
